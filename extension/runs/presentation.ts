import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal, type RunStateName } from '../../shared/run/state.ts';
import type { Localizer } from '../support/localizer.ts';

interface StateIcon {
  /** A codicon's id. */
  readonly icon: string;
  /** A theme colour's id; none for the foreground. */
  readonly color?: string;
}

export const STATE_ICONS: Readonly<Record<RunStateName, StateIcon>> = {
  queued: { icon: 'clock' },
  preparing: { icon: 'loading~spin' },
  running: { icon: 'sync~spin', color: 'progressBar.background' },
  waiting: { icon: 'bell-dot', color: 'notificationsWarningIcon.foreground' },
  paused: { icon: 'debug-pause' },
  succeeded: { icon: 'pass', color: 'testing.iconPassed' },
  failed: { icon: 'error', color: 'testing.iconFailed' },
  canceled: { icon: 'circle-slash', color: 'disabledForeground' },
  timed_out: { icon: 'watch', color: 'testing.iconFailed' },
  over_budget: { icon: 'credit-card', color: 'testing.iconFailed' },
};

const STATE_LABELS: Readonly<Record<RunStateName, (l10n: Localizer) => string>> = {
  queued: (l10n) => l10n.t('Queued'),
  preparing: (l10n) => l10n.t('Preparing'),
  running: (l10n) => l10n.t('Running'),
  waiting: (l10n) => l10n.t('Waiting for you'),
  paused: (l10n) => l10n.t('Paused'),
  succeeded: (l10n) => l10n.t('Succeeded'),
  failed: (l10n) => l10n.t('Failed'),
  canceled: (l10n) => l10n.t('Canceled'),
  timed_out: (l10n) => l10n.t('Timed out'),
  over_budget: (l10n) => l10n.t('Over budget'),
};

export function stateLabel({ state, waitingFor }: Pick<Run, 'state' | 'waitingFor'>, l10n: Localizer): string {
  return waitingFor === 'approval' ? l10n.t('Waiting for approval') : STATE_LABELS[state](l10n);
}

/** The random end of a run's id, which is in the names of its branch and its files as well. */
export function shortId(runId: string): string {
  return runId.slice(-8);
}

/** A title that is never empty and never more than one line. */
export function runTitle(run: Pick<Run, 'id' | 'title' | 'prompt'>): string {
  return firstLine(run.title) || firstLine(run.prompt) || shortId(run.id);
}

/** For editor tabs, which do not shorten their titles by themselves. */
export function tabTitle(run: Pick<Run, 'id' | 'title' | 'prompt'>): string {
  const title = runTitle(run);
  return title.length > 40 ? `${title.slice(0, 39).trimEnd()}…` : title;
}

function firstLine(text: string): string {
  return (text.trim().split('\n')[0] ?? '').slice(0, 200);
}

/** What stands behind the title in the tree: what it waits for, or how long it took, and what it changed. */
export function runDescription(run: Run, now: number, l10n: Localizer): string {
  const parts = [
    isFinal(run.state) && run.state !== 'succeeded' ? stateLabel(run, l10n) : undefined,
    run.state === 'waiting' || run.state === 'paused' || run.state === 'queued' ? stateLabel(run, l10n) : undefined,
    isFinal(run.state) ? age(Date.parse(run.endedAt ?? run.createdAt), now, l10n) : elapsed(run, now, l10n),
    run.patch ? `+${formatCount(run.patch.insertions)} −${formatCount(run.patch.deletions)}` : undefined,
  ];
  return parts.filter(Boolean).join(' · ');
}

function elapsed(run: Run, now: number, l10n: Localizer): string | undefined {
  return run.startedAt === undefined ? undefined : duration(now - Date.parse(run.startedAt), l10n);
}

/** Whole units, the largest two: `2 h 5 min`. */
export function duration(ms: number, l10n: Localizer): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return l10n.t('{0} s', seconds);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return l10n.t('{0} min', minutes);
  return l10n.t('{0} h {1} min', Math.floor(minutes / 60), minutes % 60);
}

export function age(at: number, now: number, l10n: Localizer): string {
  const minutes = Math.floor(Math.max(0, now - at) / 60_000);
  if (minutes < 1) return l10n.t('just now');
  if (minutes < 60) return l10n.t('{0} min ago', minutes);
  if (minutes < 24 * 60) return l10n.t('{0} h ago', Math.floor(minutes / 60));
  return l10n.t('{0} d ago', Math.floor(minutes / (24 * 60)));
}

/** With the separators of the machine that this runs on. */
export function formatCount(count: number): string {
  return count.toLocaleString();
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/**
 * Which menu entries a run offers, as the words of its `contextValue`: `run`, its state, what can be done. The
 * manifest's `when` clauses look for them, so the words are part of the contract with package.json.
 */
export function contextWords(run: Run): string {
  const words = ['run', run.state];
  if (!isFinal(run.state)) words.push('active');
  else words.push('ended');
  if (run.state === 'running' || run.state === 'waiting') words.push('pausable');
  if (run.interactive && !isFinal(run.state)) words.push('interactive');
  if (run.pendingApprovals.length > 0) words.push('approval');
  if (run.patch) words.push('changes');
  return `${words.join(' ')} `;
}
