import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';

export const groupNames = ['active', 'today', 'earlier'] as const;
export type GroupName = (typeof groupNames)[number];
export interface RunGroup {
  readonly name: GroupName;
  readonly runs: readonly Run[];
}

/** Local midnight at or before `now`, in milliseconds. */
function startOfDay(now: Date): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
}

/**
 * The runs as the tree shows them: what goes on (those that wait for the user first), what ended today, the rest;
 * newest first. Groups without runs are left out.
 * @param clockOffsetMs how far the server's clock, which stamped the runs, is ahead of `now`
 */
export function groupRuns(runs: Iterable<Run>, now: Date, clockOffsetMs = 0): RunGroup[] {
  const midnight = startOfDay(now);
  const groups: Record<GroupName, Run[]> = { active: [], today: [], earlier: [] };
  for (const run of runs) {
    if (!isFinal(run.state)) groups.active.push(run);
    else if (Date.parse(run.endedAt ?? run.createdAt) - clockOffsetMs >= midnight) groups.today.push(run);
    else groups.earlier.push(run);
  }
  for (const list of Object.values(groups)) list.sort(newestFirst);
  groups.active.sort((a, b) => Number(b.state === 'waiting') - Number(a.state === 'waiting'));
  return groupNames.map((name) => ({ name, runs: groups[name] })).filter((group) => group.runs.length > 0);
}

/** Ids are time-ordered, so they decide between runs of one millisecond. */
function newestFirst(a: Run, b: Run): number {
  return b.createdAt.localeCompare(a.createdAt) || b.id.localeCompare(a.id);
}

export interface Attention {
  readonly active: number;
  readonly waiting: number;
}

/** How many runs go on, and how many of them can only go on with the user's help. */
export function attention(runs: Iterable<Run>): Attention {
  let active = 0;
  let waiting = 0;
  for (const run of runs) {
    if (isFinal(run.state)) continue;
    active++;
    if (run.state === 'waiting') waiting++;
  }
  return { active, waiting };
}
