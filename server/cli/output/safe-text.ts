/**
 * Text from a sandbox on its way to a terminal. What an agent prints must not move the cursor, rewrite earlier lines,
 * set the clipboard (OSC 52) or hide characters, so nothing but printable text, line breaks and tabs gets through.
 */

/** Whole control sequences (ECMA-48: CSI … final byte; OSC, DCS, PM, APC … ST or BEL): colours and titles, mostly. */
const SEQUENCES = /\u001b\[[0-?]*[ -/]*[@-~]|\u001b[\]P^_X][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)/g;

/** C0 without tab and line feed, DEL, C1, and the characters that reorder or hide text (bidi, zero width, BOM).
 *  The joiners U+200C and U+200D stay: several scripts and most emoji need them. */
const UNSAFE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

function visible(character: string): string {
  const code = character.codePointAt(0)!;
  // Unicode has a picture for each of the C0 controls: U+241B is the one of escape.
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `\\u{${code.toString(16)}}`;
}

/**
 * The text with whole control sequences taken out and every other unsafe character made visible. The second step runs
 * on the result of the first, so nothing that is left over can join into a new sequence.
 */
export function safeText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(SEQUENCES, '').replace(UNSAFE, visible);
}

/** The same for one line: line breaks are shown, not made; cut to `max` characters. */
export function safeLine(text: string, max = 300): string {
  // Cut before cleaning as well: a line may be a megabyte long.
  const clean = safeText(text.slice(0, max * 4))
    .replaceAll('\n', '⏎')
    .replaceAll('\t', ' ');
  const cut = clean.length > max || text.length > max * 4;
  return cut ? `${clean.slice(0, max - 1)}…` : clean;
}

/** The first `maxLines` lines, none longer than `maxLength`, with a note of what was left out. */
export function safeBlock(text: string, maxLines: number, maxLength = 500): string[] {
  const lines = text.replace(/\r\n?/g, '\n').replace(/\n+$/, '').split('\n');
  const shown = lines.slice(0, maxLines).map((line) => keepTabs(line, maxLength));
  const left = lines.length - shown.length;
  return left > 0 ? [...shown, `… ${left} more line${left === 1 ? '' : 's'}`] : shown;
}

function keepTabs(line: string, max: number): string {
  const clean = safeText(line.slice(0, max * 4)).replaceAll('\n', '⏎');
  return clean.length > max || line.length > max * 4 ? `${clean.slice(0, max - 1)}…` : clean;
}
