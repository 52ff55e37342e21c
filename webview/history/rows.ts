import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';

/** The columns of the table, and what each sorts by. Undefined goes to the end, whichever way. */
export const columns = [
  'state',
  'title',
  'member',
  'environment',
  'agent',
  'created',
  'time',
  'denied',
  'tokens',
  'changes',
] as const;
export type Column = (typeof columns)[number];

export interface Sorting {
  readonly column: Column;
  readonly descending: boolean;
}

/** Milliseconds that a run worked, or has existed so far. */
export function runMs(run: Run, now: number): number {
  if (run.usage) return run.usage.wallMs;
  const until = run.endedAt === undefined ? (isFinal(run.state) ? undefined : now) : Date.parse(run.endedAt);
  return until === undefined ? 0 : Math.max(0, until - Date.parse(run.startedAt ?? run.createdAt));
}

export const tokens = ({ usage }: Run): number | undefined => usage && usage.inputTokens + usage.outputTokens;
export const changedLines = ({ patch }: Run): number | undefined =>
  patch ? patch.insertions + patch.deletions : undefined;

export type Names = ReadonlyMap<string, string>;

type Key = string | number | undefined;

/** One entry for each column: one that is added and forgotten here does not compile. */
const KEYS: Record<Column, (run: Run, names: Names, now: number) => Key> = {
  state: (run) => run.state,
  title: (run) => run.title.toLowerCase(),
  member: (run, names) => (names.get(run.createdBy.memberId) ?? run.createdBy.memberId).toLowerCase(),
  environment: (run) => run.environment.name,
  agent: (run) => run.agent.name,
  created: (run) => run.createdAt,
  time: (run, _names, now) => runMs(run, now),
  denied: (run) => run.egress.denied,
  tokens,
  changes: changedLines,
};

/** The rows in order; rows that are equal in the column stay in the order of the server, the newest first. */
export function sortRows(rows: readonly Run[], { column, descending }: Sorting, names: Names, now: number): Run[] {
  const keyed = rows.map((run) => ({ run, key: KEYS[column](run, names, now) }));
  keyed.sort((a, b) => {
    if (a.key === b.key) return 0;
    if (a.key === undefined) return 1;
    if (b.key === undefined) return -1;
    return (a.key < b.key ? -1 : 1) * (descending ? -1 : 1);
  });
  return keyed.map(({ run }) => run);
}

export interface Totals {
  readonly runs: number;
  readonly active: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly ms: number;
  readonly denied: number;
  readonly tokens: number;
}

export function totalsOf(rows: readonly Run[], now: number): Totals {
  const sum = (pick: (run: Run) => number | undefined): number => rows.reduce((all, run) => all + (pick(run) ?? 0), 0);
  return {
    runs: rows.length,
    active: rows.filter((run) => !isFinal(run.state)).length,
    succeeded: rows.filter((run) => run.state === 'succeeded').length,
    failed: rows.filter((run) => isFinal(run.state) && run.state !== 'succeeded' && run.state !== 'canceled').length,
    ms: sum((run) => runMs(run, now)),
    denied: sum((run) => run.egress.denied),
    tokens: sum(tokens),
  };
}
