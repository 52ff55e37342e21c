/** JSON can spell half of a surrogate pair; RFC 8785 (and every UTF-8 encoder) refuses it. */
export function wellFormed(text: string): string {
  return text.replaceAll(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd');
}

/** The place at or just before `max` where `text` can be cut without splitting a surrogate pair. */
export function cutPoint(text: string, max: number): number {
  if (text.length <= max) return text.length;
  return /[\ud800-\udbff]/.test(text[max - 1]!) && max > 1 ? max - 1 : max;
}

/** At most `max` characters, with a note of how many are missing. */
export function limited(text: string, max: number): string {
  const whole = wellFormed(text);
  if (whole.length <= max) return whole;
  const end = cutPoint(whole, max);
  return `${whole.slice(0, end)}… (${whole.length - end} more characters)`;
}

export interface ValueLimits {
  readonly depth: number;
  /** Members of all objects and arrays together. */
  readonly members: number;
  readonly stringLength: number;
}

/** A copy of parsed JSON that is small enough to be shown and stored, whatever an agent put into it. */
export function limitedValue(json: unknown, limits: ValueLimits): unknown {
  let members = limits.members;
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return limited(value, limits.stringLength);
    if (typeof value !== 'object' || value === null) return value;
    if (depth >= limits.depth) return '…';
    const entries: [string, unknown][] = [];
    for (const [name, member] of Object.entries(value)) {
      if (members <= 0) {
        entries.push(['…', '…']);
        break;
      }
      members -= 1;
      entries.push([limited(name, 200), copy(member, depth + 1)]);
    }
    return Array.isArray(value) ? entries.map(([, member]) => member) : Object.fromEntries(entries);
  };
  return copy(json, 0);
}
