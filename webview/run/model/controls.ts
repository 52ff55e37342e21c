import type { RunAction } from '../../../shared/protocol/panel.ts';
import type { RunView } from '../../../shared/run/reduce.ts';
import { isFinal } from '../../../shared/run/state.ts';

/** What a person can do with a run now. The server decides; this only keeps buttons away that it would refuse. */
export function possibleActions(view: RunView, readOnly: boolean): readonly RunAction[] {
  if (readOnly || view.lastSeq === 0 || isFinal(view.state)) return [];
  const { state, interactive } = view;
  const actions: RunAction[] = [];
  if (state === 'running' || state === 'waiting') actions.push('terminal', 'pause');
  if (state === 'paused') actions.push('resume');
  if (interactive && (state === 'running' || state === 'waiting')) actions.push('finish');
  return [...actions, 'cancel'];
}

export function canSend(view: RunView, readOnly: boolean): boolean {
  return !readOnly && view.lastSeq > 0 && !isFinal(view.state);
}

/**
 * Milliseconds since the run began to work, or that it worked.
 * @param now this machine's clock in milliseconds; @param offset how far the server's is ahead of it
 */
export function elapsed(view: RunView, now: number, offset: number): number | undefined {
  const since = view.startedAt ?? view.createdAt;
  if (since === undefined) return undefined;
  const until = view.endedAt === undefined ? now + offset : Date.parse(view.endedAt);
  return Math.max(0, until - Date.parse(since));
}
