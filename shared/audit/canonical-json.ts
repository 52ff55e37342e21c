/**
 * The JSON Canonicalization Scheme, RFC 8785: one value, one text, whatever the order its members were written in. What
 * is hashed must not depend on who serialized it.
 */

/** `\p{Cs}` in Unicode mode is a surrogate without its partner, which UTF-8 cannot carry. */
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * Members whose value is `undefined` are left out, as `JSON.stringify` leaves them out of what is stored.
 * @throws {TypeError} for what JSON cannot hold: non-finite numbers, bigints, functions, symbols, lone surrogates,
 *   `undefined` in a list or alone, and objects that define their own JSON form (their members are not their value)
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (typeof value === 'number') {
    // RFC 8785 section 3.2.2.3 is ECMAScript's own number formatting; it writes -0 as 0.
    if (!Number.isFinite(value)) throw new TypeError(`${value} is not a JSON number`);
    return JSON.stringify(value);
  }
  // Array.from reads a hole as undefined, which is refused; map would pass it over and write «[1,,2]».
  if (Array.isArray(value)) return `[${Array.from(value, canonicalJson).join(',')}]`;
  if (typeof value === 'object') return members(value);
  throw new TypeError(`a ${typeof value} is not a JSON value`);
}

function members(object: object): string {
  if ('toJSON' in object && typeof object.toJSON === 'function') {
    throw new TypeError('an object with a JSON form of its own (a Date, say) is not a JSON value');
  }
  // Section 3.2.3 sorts names by UTF-16 code units, which is how ECMAScript compares strings.
  let out = '';
  for (const name of Object.keys(object).sort()) {
    const member: unknown = (object as Record<string, unknown>)[name];
    if (member !== undefined) out += `${out === '' ? '' : ','}${text(name)}:${canonicalJson(member)}`;
  }
  return `{${out}}`;
}

function text(value: string): string {
  if (LONE_SURROGATE.test(value))
    throw new TypeError('a string with a lone surrogate is not a JSON string (RFC 8785, 3.2.2.2)');
  // Section 3.2.2.2 is what JSON.stringify writes: short escapes, \u00xx in lower case, everything else as it is.
  return JSON.stringify(value);
}
