import { InvalidArgumentError } from 'commander';

/** Parsers for option values; what they throw, commander turns into a usage error that names the option. */
export function parseCount(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
  };
}

export function parseDecimal(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be a number.');
}

/** Comma-separated words out of `allowed`. */
export function parseList<T extends string>(allowed: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((word) => {
      const found = allowed.find((one) => one === word.trim());
      if (found === undefined) throw new InvalidArgumentError(`"${word}" is none of ${allowed.join(', ')}.`);
      return found;
    });
}

/** For options that may be given several times. */
export function collect(text: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

/** `NAME=value`, several times. */
export function collectPair(
  text: string,
  previous: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must have the form NAME=value.');
  return { ...previous, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A date, or a time from now: `30d`, `12h`, `45m`. */
export function parseExpiry(text: string, now: number = Date.now()): string {
  const span = /^(\d{1,5})([dhm])$/.exec(text);
  const unit = { d: 86_400_000, h: 3_600_000, m: 60_000 };
  const time = span ? now + Number(span[1]) * unit[span[2] as 'd' | 'h' | 'm'] : Date.parse(text);
  if (Number.isNaN(time))
    throw new InvalidArgumentError('It must be a date (2030-01-31) or a time from now (30d, 12h).');
  if (time <= now) throw new InvalidArgumentError('It lies in the past.');
  return new Date(time).toISOString();
}
