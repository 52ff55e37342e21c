import { styleText } from 'node:util';

/** What a piece of text means; how that looks is decided here and nowhere else. */
const LOOKS = {
  plain: [],
  dim: ['dim'],
  strong: ['bold'],
  good: ['green'],
  bad: ['red'],
  warn: ['yellow'],
  agent: ['cyan'],
  accent: ['magenta'],
} as const;

export type Tone = keyof typeof LOOKS;
export type Paint = (tone: Tone, text: string) => string;

export const noPaint: Paint = (_tone, text) => text;

export const colorPaint: Paint = (tone, text) => {
  const look = LOOKS[tone];
  // Whether colour is wanted was decided by `wantsColor`; styleText must not decide again by its own rules.
  return look.length === 0 || text === '' ? text : styleText([...look], text, { validateStream: false });
};

/** Colour on a terminal, unless the user said otherwise (https://no-color.org, and FORCE_COLOR as Node reads it). */
export function wantsColor(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if (env['NO_COLOR']) return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return isTerminal && env['TERM'] !== 'dumb';
}
