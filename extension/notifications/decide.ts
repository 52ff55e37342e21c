import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Transition } from '../runs/run-store.ts';

export const notificationLevels = ['all', 'waiting', 'none'] as const;
export type NotificationLevel = (typeof notificationLevels)[number];

export type Notification =
  | { readonly kind: 'approval'; readonly run: Run }
  | { readonly kind: 'input'; readonly run: Run }
  | { readonly kind: 'succeeded'; readonly run: Run }
  | { readonly kind: 'failed'; readonly run: Run };

/**
 * Whether a change of state is worth interrupting somebody: the run waits for them, or it is over. Only their own runs
 * count, not one they canceled themselves, and not one whose panel they are looking at.
 */
export function decideNotification(
  { after }: Transition,
  level: NotificationLevel,
  memberId: string | undefined,
  visible: boolean,
): Notification | undefined {
  if (level === 'none' || visible || after.createdBy.memberId !== memberId) return undefined;
  if (after.state === 'waiting') return { kind: after.waitingFor === 'approval' ? 'approval' : 'input', run: after };
  if (level === 'waiting' || !isFinal(after.state) || after.state === 'canceled') return undefined;
  return { kind: after.state === 'succeeded' ? 'succeeded' : 'failed', run: after };
}
