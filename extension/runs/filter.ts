import type { Run } from '../../shared/protocol/rest.ts';
import type { RunStateName } from '../../shared/run/state.ts';
import { isFinal } from '../../shared/run/state.ts';

export const filterKinds = ['all', 'active', 'waiting', 'succeeded', 'not_succeeded'] as const;
export type FilterKind = (typeof filterKinds)[number];

export interface RunFilter {
  readonly kind: FilterKind;
  /** Words that all have to occur in title, prompt, agent, environment or id. */
  readonly text: string;
}

export const NO_FILTER: RunFilter = { kind: 'all', text: '' };

export function isFiltering(filter: RunFilter): boolean {
  return filter.kind !== 'all' || filter.text.trim() !== '';
}

const KINDS: Readonly<Record<FilterKind, (state: RunStateName) => boolean>> = {
  all: () => true,
  active: (state) => !isFinal(state),
  waiting: (state) => state === 'waiting',
  succeeded: (state) => state === 'succeeded',
  not_succeeded: (state) => isFinal(state) && state !== 'succeeded',
};

export function matches(run: Run, filter: RunFilter): boolean {
  if (!KINDS[filter.kind](run.state)) return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = [run.title, run.prompt, run.agent.name, run.environment.name, run.id].join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}
