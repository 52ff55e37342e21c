import * as z from 'zod';
import type { HistoryQuery } from '../../shared/protocol/panel.ts';
import { RUN_STATES, isFinal, type RunStateName } from '../../shared/run/state.ts';

/** What the filters of the table say, as text that the controls hold; kept over a reload. */
export const filters = z.object({
  state: z.string().catch('all'),
  member: z.string().catch(''),
  environment: z.string().catch(''),
  since: z.enum(['all', 'day', 'week', 'month']).catch('all'),
  text: z.string().max(200).catch(''),
});
export type Filters = z.infer<typeof filters>;
export const noFilters: Filters = { state: 'all', member: '', environment: '', since: 'all', text: '' };

const DAYS = { day: 1, week: 7, month: 30 } as const;

/** `active` and `ended` stand for several states each. */
export function statesOf(state: string): readonly RunStateName[] {
  if (state === 'active') return RUN_STATES.filter((name) => !isFinal(name));
  if (state === 'ended') return RUN_STATES.filter(isFinal);
  return RUN_STATES.filter((name) => name === state);
}

/** @param now milliseconds since 1970, for «the last seven days» */
export function queryOf({ state, member, environment, since, text }: Filters, now: number): HistoryQuery {
  return {
    states: [...statesOf(state)],
    ...(member && { member }),
    ...(environment && { environment }),
    ...(since !== 'all' && { from: new Date(now - DAYS[since] * 86_400_000).toISOString() }),
    ...(text.trim() && { text: text.trim() }),
  };
}
