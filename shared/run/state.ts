/** The life of a run: which states there are, and which may follow which. */
export const RUN_STATES = [
  'queued',
  'preparing',
  'running',
  'waiting',
  'paused',
  'succeeded',
  'failed',
  'canceled',
  'timed_out',
  'over_budget',
] as const;

export type RunStateName = (typeof RUN_STATES)[number];

const ends: readonly RunStateName[] = ['succeeded', 'failed', 'canceled', 'timed_out', 'over_budget'];

const NEXT: Record<RunStateName, readonly RunStateName[]> = {
  queued: ['preparing', 'failed', 'canceled', 'timed_out', 'over_budget'],
  preparing: ['running', 'failed', 'canceled', 'timed_out', 'over_budget'],
  running: ['waiting', 'paused', ...ends],
  waiting: ['running', 'paused', ...ends],
  paused: ['running', 'waiting', ...ends],
  succeeded: [],
  failed: [],
  canceled: [],
  timed_out: [],
  over_budget: [],
};

/** True when nothing more will happen to a run in this state. */
export function isFinal(state: RunStateName): boolean {
  return NEXT[state].length === 0;
}

export function canFollow(from: RunStateName, to: RunStateName): boolean {
  return NEXT[from].includes(to);
}
