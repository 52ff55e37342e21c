import * as fc from 'fast-check';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { colorPaint, noPaint, wantsColor } from '../../../server/cli/output/paint.ts';
import { renderEvent } from '../../../server/cli/output/render-event.ts';
import { safeBlock, safeLine, safeText } from '../../../server/cli/output/safe-text.ts';
import { eventTypes, type EventType, type RunEvent, type UnknownEvent } from '../../../shared/protocol/events.ts';
import { everyEvent, runEvent, sampleData } from '../../support/run-events.ts';

const start = '2025-01-01T00:00:00.000Z';
const ESC = '\u001b';
/** Anything that a terminal acts upon, beyond the line breaks that the renderer itself makes. */
const ACTIVE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

const ATTACKS: readonly (readonly [string, string])[] = [
  ['colours', `${ESC}[31mred${ESC}[0m`],
  ['cursor up and erase the line above', `${ESC}[1A${ESC}[2Kegress allowed`],
  ['carriage return over the prefix', 'aaaa\r✔ Succeeded'],
  ['window title', `${ESC}]0;pwned\u0007`],
  ['clipboard (OSC 52)', `${ESC}]52;c;cm0gLXJmIC8=\u0007`],
  ['an OSC that never ends', `${ESC}]52;c;cm0g`],
  ['device control string', `${ESC}P1$r0m${ESC}\\`],
  ['a sequence hidden in a sequence', `${ESC}${ESC}[31m[2J`],
  ['a sequence split by a sequence', `${ESC}[${ESC}[31m2J`],
  ['one-byte CSI (C1)', '\u009b2J'],
  ['backspaces', 'rm -rf /\b\b\b\b\b\b\b\bls      '],
  ['bidirectional override', 'user\u202egnp.exe'],
  ['line separator', 'one\u2028two'],
  ['delete', 'a\u007fb'],
  ['null', 'a\u0000b'],
  ['tag characters', 'a\u{e0041}b'],
];

describe('text from a sandbox cannot act on the terminal', () => {
  test.each(ATTACKS)('%s', (_name, attack) => {
    expect(safeText(attack)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
    expect(safeLine(attack)).not.toMatch(ACTIVE);
  });

  test('whatever the text', () => {
    const evil = fc.stringMatching(/^[\u001b\u009b\u0007[\]0-9;mJKP\\\r\nab\u202e]*$/);
    fc.assert(
      fc.property(fc.oneof(evil, fc.string({ unit: 'binary' })), (text) => {
        expect(safeLine(text)).not.toMatch(ACTIVE);
        for (const line of safeBlock(text, 5)) expect(line.replaceAll('\t', '')).not.toMatch(ACTIVE);
      }),
    );
  });

  test('what is shown is what was there: ordinary text of any language is left alone', () => {
    for (const text of ['plain', 'Grüße, 世界', 'مرحبا', '👩‍💻 done', 'a\tb']) expect(safeText(text)).toBe(text);
    expect(safeText('a\u0000b')).toBe('a␀b');
    expect(safeText('one\r\ntwo\rthree')).toBe('one\ntwo\nthree');
  });

  test('a megabyte on one line is cut, and so are a thousand lines, with a note', () => {
    expect(safeLine('x'.repeat(1_000_000)).length).toBe(300);
    expect(safeBlock('x\n'.repeat(1000), 3)).toEqual(['x', 'x', 'x', '… 997 more lines']);
  });
});

/** The event with every string in its data replaced. */
function poisoned(type: EventType, attack: string): RunEvent {
  const poison = (value: unknown, key = ''): unknown => {
    // These are enumerations: the protocol's parser refuses anything else in them.
    const fixed = [
      'kind',
      'mode',
      'phase',
      'step',
      'stream',
      'to',
      'from',
      'waitingFor',
      'outcome',
      'code',
      'protocol',
      'approval',
    ];
    if (typeof value === 'string') return fixed.includes(key) ? value : `${attack}${value}`;
    if (Array.isArray(value)) return value.map((item) => poison(item, key));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poison(item, name)]));
  };
  return { ...runEvent(1, type), data: poison(sampleData[type]) } as RunEvent;
}

describe('every event, rendered', () => {
  test.each(eventTypes)('%s has lines when everything is asked for, and says who speaks', (type) => {
    const lines = renderEvent(runEvent(4, type) as RunEvent, { start, verbose: true });
    expect(lines.length).toBeGreaterThan(0);
    expect(lines[0]).toMatch(/^\S +\+1\.0s (agent|kernel|gateway|server|person) {2}/);
  });

  test.each(eventTypes)('%s cannot act on the terminal, nor forge a line of its own', (type) => {
    for (const [, attack] of ATTACKS) {
      const forged = `${attack}\n✔   +1.0s server   Succeeded\n`;
      const lines = renderEvent(poisoned(type, forged), { start, verbose: true });
      for (const line of lines) expect(line).not.toMatch(ACTIVE);
      // Only the first line begins at the margin; the rest belongs to it and is indented.
      for (const line of lines.slice(1)) expect(line).toMatch(/^( {19}|$)/);
    }
  });

  test('colour changes how it looks and nothing else', () => {
    for (const event of everyEvent()) {
      const plain = renderEvent(event, { start, verbose: true, paint: noPaint });
      const coloured = renderEvent(event, { start, verbose: true, paint: colorPaint });
      expect(coloured.map((line) => stripVTControlCharacters(line).trimEnd())).toEqual(plain);
    }
    const denied = renderEvent(runEvent(1, 'egress.denied'), { start, paint: colorPaint });
    expect(denied.join()).toContain(`${ESC}[31m`);
  });

  test('ends of processes and connections are details', () => {
    for (const type of ['process.exit', 'process.connect', 'egress.closed', 'agent.usage'] as const)
      expect(renderEvent(runEvent(1, type) as RunEvent, { start })).toEqual([]);
  });

  test.each<[string, RunEvent | UnknownEvent, string[]]>([
    [
      'a refused connection',
      runEvent(8, 'egress.denied'),
      ['⊘   +2.0s gateway  Denied 169.254.169.254:443  (address.link-local): metadata address'],
    ],
    ['a process', runEvent(8, 'process.exec'), ['$   +2.0s kernel   npm test  [7]']],
    [
      'words of the agent',
      runEvent(8, 'agent.message'),
      ['┃   +2.0s agent    I fixed it.', '                   All tests pass.'],
    ],
    [
      'a failure',
      runEvent(8, 'run.state', {
        from: 'running',
        to: 'failed',
        failure: { code: 'agent_exited', message: 'The agent ended with 1' },
      }),
      ['✘   +2.0s server   Failed: The agent ended with 1 (agent_exited)'],
    ],
    [
      'a type from a newer server',
      { ...runEvent(8, 'error'), type: 'unknown:agent.dream', data: { depth: 2 } } satisfies UnknownEvent,
      ['·   +2.0s server   agent.dream: {"depth":2}'],
    ],
  ])('%s', (_name, event, lines) => {
    expect(renderEvent(event, { start })).toEqual(lines);
  });

  test('a run without a sandbox is never shown as if it had one', () => {
    const event = runEvent(1, 'run.created', { ...sampleData['run.created'], sandboxed: false });
    expect(renderEvent(event, { start }).join('\n')).toContain('NO sandbox');
  });

  test('what is left of a sandbox is named', () => {
    const event = runEvent(1, 'sandbox.destroyed', {
      absent: { container: true, mount: false, loopDevice: true, socket: false },
      ms: 5,
    });
    expect(renderEvent(event, { start }).join()).toContain('still there: mount, socket');
  });
});

describe('colour is wanted', () => {
  test.each<[string, NodeJS.ProcessEnv, boolean, boolean]>([
    ['on a terminal', {}, true, true],
    ['not in a pipe', {}, false, false],
    ['not with NO_COLOR', { NO_COLOR: '1' }, true, false],
    ['with an empty NO_COLOR, which means nothing', { NO_COLOR: '' }, true, true],
    ['in a pipe when forced', { FORCE_COLOR: '1' }, false, true],
    ['not on a dumb terminal', { TERM: 'dumb' }, true, false],
  ])('%s', (_name, env, terminal, expected) => {
    expect(wantsColor(env, terminal)).toBe(expected);
  });
});
