import type { RunQuery } from '../../shared/client/runs.ts';
import type { HistoryQuery } from '../../shared/protocol/panel.ts';

/** The panel's filters as the API takes them; what is empty is left out. */
export function toRunQuery(query: HistoryQuery, cursor: string | undefined, limit: number): RunQuery {
  const { states, member, environment, from, to, text } = query;
  return {
    limit: Math.max(1, limit),
    ...(states.length > 0 && { state: states }),
    ...(member && { member }),
    ...(environment && { environment }),
    ...(from && { from }),
    ...(to && { to }),
    ...(text?.trim() && { text: text.trim() }),
    ...(cursor !== undefined && { cursor }),
  };
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/** Who can be filtered by: oneself first, then everybody else by name. */
export function selfFirst(members: readonly Named[], selfId: string): Named[] {
  const others = members.filter(({ id }) => id !== selfId).sort((a, b) => a.name.localeCompare(b.name));
  return [...members.filter(({ id }) => id === selfId), ...others].map(({ id, name }) => ({ id, name }));
}
