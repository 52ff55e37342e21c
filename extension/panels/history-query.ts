import type { RunQuery } from '../../shared/client/runs.ts';
import type { HistoryQuery } from '../../shared/protocol/panel.ts';
import type { Run } from '../../shared/protocol/rest.ts';

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

/** Who can be filtered by: oneself by name, everybody else who has started one of the runs by id. */
export function membersOf(runs: readonly Run[], me: Named): Named[] {
  const others = new Set(runs.map((run) => run.createdBy.memberId));
  others.delete(me.id);
  return [me, ...[...others].sort().map((id) => ({ id, name: id }))];
}
