import type { RunStateName } from '../../shared/run/state.ts';
import { icon, type IconName } from './icons.ts';

const ICONS: Record<RunStateName, { readonly icon: IconName; readonly tone: string }> = {
  queued: { icon: 'clock', tone: '' },
  preparing: { icon: 'spinner', tone: '' },
  running: { icon: 'spinner', tone: 'tone-run' },
  waiting: { icon: 'question', tone: 'tone-warn' },
  paused: { icon: 'pause', tone: 'tone-warn' },
  succeeded: { icon: 'check', tone: 'tone-good' },
  failed: { icon: 'cross', tone: 'tone-bad' },
  canceled: { icon: 'blocked', tone: '' },
  timed_out: { icon: 'clock', tone: 'tone-bad' },
  over_budget: { icon: 'warning', tone: 'tone-bad' },
};

/** A run's state as a symbol; the words stand beside it. */
export function stateIcon(state: RunStateName): SVGSVGElement {
  const { icon: name, tone } = ICONS[state];
  return icon(name, tone);
}
