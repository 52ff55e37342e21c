import { locale, t } from './l10n.ts';

/** Numbers and times as people read them. Pure but for the language. */
export function formatCount(value: number): string {
  return value.toLocaleString(locale());
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return t('{0} B', bytes);
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = -1;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toLocaleString(locale(), { maximumFractionDigits: 1 })} ${units[unit]}`;
}

/** Milliseconds as `340 ms`, `4.2 s`, `3:07` or `1:02:45`. */
export function formatDuration(ms: number): string {
  const positive = Math.max(0, ms);
  if (positive < 1000) return t('{0} ms', Math.round(positive));
  if (positive < 10_000)
    return t('{0} s', (Math.floor(positive / 100) / 10).toLocaleString(locale(), { minimumFractionDigits: 1 }));
  const seconds = Math.floor(positive / 1000);
  if (seconds < 60) return t('{0} s', seconds);
  const two = (value: number) => String(value).padStart(2, '0');
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Milliseconds in whole seconds, for a clock that is seen running. */
export function formatClock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return seconds < 60 ? t('{0} s', seconds) : formatDuration(seconds * 1000);
}

/** Making a formatter costs 50 µs and using it 1 µs: a list of events makes each once. */
const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()} ${name}`;
  let known = formatters.get(key);
  if (!known) formatters.set(key, (known = new Intl.DateTimeFormat(locale(), options)));
  return known;
}

/** The time of day in this machine's zone, with seconds. */
export function formatTime(at: string): string {
  return formatter('time', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(
    new Date(at),
  );
}

/** Day and time; the year only where it is another one than now. */
export function formatDateTime(at: string, now = new Date()): string {
  const date = new Date(at);
  const day = { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' } as const;
  if (date.getFullYear() === now.getFullYear()) return formatter('day', day).format(date);
  return formatter('date', { ...day, year: 'numeric' }).format(date);
}
