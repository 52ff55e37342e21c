import type { Client } from '../../shared/client/client.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Run } from '../../shared/protocol/rest.ts';

const FULL_ID = /^run_[0-9a-z]{26}$/;
/** How far back a short id is looked for. */
const PAGES = 5;
const PAGE_SIZE = 200;

/** The part of a run's id that is shown in lists: its random end, which is also in the run's branch name. */
export function shortId(id: string): string {
  return id.slice(-8);
}

/** Which ids a text means: the whole id, or any beginning or end of it. */
export function matchRunIds(text: string, ids: readonly string[]): string[] {
  const wanted = text.toLowerCase();
  if (ids.includes(wanted)) return [wanted];
  return ids.filter((id) => id.startsWith(wanted) || id.startsWith(`run_${wanted}`) || id.endsWith(wanted));
}

/**
 * The run that a person means by `last`, an id, or a part of one that only one run has.
 * @throws {CaissonError} `not_found`; `invalid_request` when several runs match
 */
export async function findRun(client: Client, text: string): Promise<Run> {
  if (FULL_ID.test(text)) return client.runs.get(text);
  if (text === 'last') {
    const newest = (await client.runs.list({ limit: 1 })).items[0];
    if (!newest) throw new CaissonError('not_found', 'There is no run yet. Start one with `caisson run`.');
    return newest;
  }
  if (!/^[0-9a-z_]+$/i.test(text))
    throw new CaissonError('invalid_request', `"${text}" is not a run id, nor a part of one.`);
  const runs: Run[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page++) {
    const answer = await client.runs.list({ limit: PAGE_SIZE, ...(cursor !== undefined && { cursor }) });
    runs.push(...answer.items);
    cursor = answer.nextCursor;
    if (cursor === undefined) break;
  }
  const matches = matchRunIds(
    text,
    runs.map((run) => run.id),
  );
  if (matches.length === 1) return runs.find((run) => run.id === matches[0])!;
  if (matches.length === 0)
    throw new CaissonError('not_found', `No run has an id like "${text}". \`caisson runs\` lists them.`);
  const shown = matches.slice(0, 5).join(', ') + (matches.length > 5 ? ', …' : '');
  throw new CaissonError(
    'invalid_request',
    `"${text}" could be any of ${matches.length} runs: ${shown}. Give more of the id.`,
  );
}
