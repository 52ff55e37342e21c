import { isKnownEvent, type ClientEvent } from '../../shared/client/event.ts';
import type { EventOf, EventType } from '../../shared/protocol/events.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';

/** What of a log shows in the list; every other event only counts as seen. */
const APPLY: { readonly [T in EventType]?: (run: Run, event: EventOf<T>) => Run } = {
  'run.state': (run, { at, data: { to, waitingFor, failure } }) => {
    // The two optional fields describe the state that is left here; neither may outlive it.
    const { waitingFor: _waitingFor, failure: _failure, ...rest } = run;
    return {
      ...rest,
      state: to,
      ...(waitingFor && { waitingFor }),
      ...(failure && { failure }),
      ...(to === 'running' && rest.startedAt === undefined && { startedAt: at }),
      ...(isFinal(to) && { endedAt: at, pendingApprovals: [] }),
    };
  },
  'run.result': (run, { data: { usage, patch, branch, base } }) => ({ ...run, usage, patch, branch, base }),
  'git.ready': (run, { data: { base, branch } }) => ({ ...run, base, branch }),
  'approval.requested': (run, { data }) => ({
    ...run,
    pendingApprovals: [...new Set([...run.pendingApprovals, data.approvalId])],
  }),
  'approval.resolved': (run, { data }) => ({
    ...run,
    pendingApprovals: run.pendingApprovals.filter((id) => id !== data.approvalId),
  }),
  'egress.allowed': (run) => ({ ...run, egress: { ...run.egress, allowed: run.egress.allowed + 1 } }),
  'egress.denied': (run) => ({ ...run, egress: { ...run.egress, denied: run.egress.denied + 1 } }),
  'process.exec': (run) => ({ ...run, processes: run.processes + 1 }),
};

/**
 * A run of the list after one more event of its log, so that a list that was read once stays true while the run goes
 * on. Pure; an event that the run already contains changes nothing.
 */
export function applyEvent(run: Run, event: ClientEvent): Run {
  if (event.seq <= run.lastSeq) return run;
  // An indexed access type does not narrow with its key; that key and event agree is what the table's type says.
  const apply = isKnownEvent(event)
    ? (APPLY[event.type] as ((run: Run, event: unknown) => Run) | undefined)
    : undefined;
  return { ...(apply?.(run, event) ?? run), lastSeq: event.seq };
}
