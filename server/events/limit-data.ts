import { CaissonError } from '../../shared/protocol/errors.ts';

/**
 * Makes any data fit to be an event's: not larger than a limit, not deeper than a reader's recursion, and of well-formed
 * text. An agent chooses what it sends, so data is cut rather than refused: a huge line must not end a run, and must not
 * go unrecorded either.
 */
const TRUNCATED = '…truncated';

/** Deeper values are replaced: JSON.stringify and the hash recurse, and 10,000 levels exhaust the stack. */
const MAX_DEPTH = 64;
/** What a schema of shared/protocol/events.ts may need whole: ids and hashes, members, and levels. */
const MIN_STRING = 256;
const MIN_MEMBERS = 64;
const MIN_DEPTH = 4;

interface Limits {
  readonly string: number;
  readonly items: number;
  readonly members: number;
  readonly depth: number;
}

/**
 * Returns `data` as it is when it fits. Otherwise long strings end in `…truncated` and the number of characters that were
 * cut, and lists are shortened (a list of strings says so in its last element), by about as little as makes it fit.
 * @param maxBytes of the JSON text in UTF-8
 * @throws {CaissonError} `payload_too_large` when nothing but structure is left and it is still larger
 */
export function limitData(data: unknown, maxBytes: number): unknown {
  const whole = { string: Infinity, items: Infinity, members: Infinity, depth: MAX_DEPTH };
  const sound = cut(data, whole, 0);
  if (fits(sound, maxBytes)) return sound;
  for (let round = 1; round <= 20; round++) {
    const string = maxBytes / 2 ** round;
    const items = Math.max(1, Math.floor(string / 16));
    const members = Math.max(MIN_MEMBERS, items);
    const depth = Math.max(MIN_DEPTH, MAX_DEPTH >> round);
    const smaller = cut(sound, { string: Math.max(MIN_STRING, string), items, members, depth }, 0);
    if (fits(smaller, maxBytes)) return smaller;
  }
  throw new CaissonError('payload_too_large', `The data of an event could not be cut to ${maxBytes} bytes.`);
}

function fits(data: unknown, maxBytes: number): boolean {
  const json = JSON.stringify(data) ?? '';
  return json.length <= maxBytes && Buffer.byteLength(json) <= maxBytes;
}

function cut(value: unknown, limits: Limits, depth: number): unknown {
  if (typeof value === 'string') return cutText(wellFormed(value), limits.string);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === limits.depth) return TRUNCATED;
  if (Array.isArray(value)) return cutList(value, limits, depth);
  // fromEntries defines members, so that one named __proto__ stays a member.
  const members = Object.entries(value).slice(0, limits.members);
  return Object.fromEntries(
    members.map(([name, member]) => [cutText(wellFormed(name), limits.string), cut(member, limits, depth + 1)]),
  );
}

function cutList(list: readonly unknown[], limits: Limits, depth: number): unknown[] {
  const kept = list.slice(0, limits.items).map((item) => cut(item, limits, depth + 1));
  const dropped = list.length - kept.length;
  // A list of objects gets no note: an element of another form would break its schema.
  if (dropped > 0 && typeof list[0] === 'string') kept.push(`${TRUNCATED} ${dropped} more`);
  return kept;
}

function cutText(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const end = Math.floor(limit);
  // Between the halves of a surrogate pair there is no place to cut.
  const whole = /[\ud800-\udbff]/.test(text[end - 1]!) ? end - 1 : end;
  return `${text.slice(0, whole)}${TRUNCATED} (${text.length - whole} more characters)`;
}

/** A surrogate without its partner cannot be written as UTF-8; streams that are cut anywhere produce them. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Cs}/gu, '\ufffd');
}
