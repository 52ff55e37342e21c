import { describe, expect, test } from 'vitest';
import { RUN_STATES } from '../../../../shared/run/state.ts';
import {
  age,
  contextWords,
  duration,
  formatBytes,
  runDescription,
  runTitle,
  STATE_ICONS,
  stateLabel,
} from '../../../../extension/runs/presentation.ts';
import { english } from '../../../../extension/support/localizer.ts';
import { aRun } from '../../../support/runs.ts';

const now = Date.parse('2026-03-10T10:10:00.000Z');
const patch = { files: 1, insertions: 3, deletions: 2, bytes: 10, sha256: '0'.repeat(64), paths: ['a'] };

describe('a run in the tree', () => {
  test.each([
    ['its title', { title: 'Mend it' }, 'Mend it'],
    ['the first line of its prompt', { title: ' ', prompt: '\nDo this\nand that' }, 'Do this'],
    ['the end of its id', { title: '', prompt: '' }, '00000001'],
  ])('is called by %s', (_name, fields, expected) => {
    expect(runTitle(aRun(fields))).toBe(expected);
  });

  test.each([
    [{ state: 'queued' as const }, 'Queued'],
    [{ startedAt: '2026-03-10T10:08:00.000Z' }, '2 min'],
    [{ state: 'waiting' as const, waitingFor: 'approval' as const }, 'Waiting for approval'],
    [{ state: 'waiting' as const, waitingFor: 'input' as const }, 'Waiting for you'],
    [{ state: 'succeeded' as const, endedAt: '2026-03-10T10:09:30.000Z', patch }, 'just now · +3 −2'],
    [{ state: 'failed' as const, endedAt: '2026-03-10T09:00:00.000Z' }, 'Failed · 1 h ago'],
  ])('%j is described as «%s»', (fields, expected) => {
    expect(runDescription(aRun(fields), now, english)).toBe(expected);
  });

  test('every state has a label and an icon of its own', () => {
    const labels = RUN_STATES.map((state) => stateLabel({ state }, english));
    expect(new Set(labels).size).toBe(RUN_STATES.length);
    expect(new Set(RUN_STATES.map((state) => STATE_ICONS[state].icon)).size).toBe(RUN_STATES.length);
  });

  test.each([
    [aRun(), ['active', 'pausable'], ['ended', 'changes', 'interactive', 'approval']],
    [aRun({ interactive: true, state: 'waiting', pendingApprovals: ['a'] }), ['interactive', 'approval'], ['ended']],
    [aRun({ state: 'paused' }), ['active', 'paused'], ['pausable']],
    [aRun({ state: 'succeeded', patch }), ['ended', 'changes'], ['active', 'pausable']],
    [aRun({ state: 'succeeded', patch: null, interactive: true }), ['ended'], ['changes', 'interactive']],
  ])('offers what its state allows', (run, offered, not) => {
    const words = contextWords(run);
    // As the manifest asks: ` word ` with spaces on both sides.
    expect(offered.filter((word) => words.includes(` ${word} `))).toEqual(offered);
    expect(not.filter((word) => words.includes(` ${word} `))).toEqual([]);
  });
});

test.each([
  [-5, '0 s'],
  [59_400, '59 s'],
  [60_000, '1 min'],
  [3_599_000, '59 min'],
  [7_500_000, '2 h 5 min'],
])('%d ms last %s', (ms, expected) => expect(duration(ms, english)).toBe(expected));

test.each([
  [now + 60_000, 'just now'],
  [now - 59_000, 'just now'],
  [now - 60_000, '1 min ago'],
  [now - 3_600_000 * 23, '23 h ago'],
  [now - 3_600_000 * 49, '2 d ago'],
])('%d was %s', (at, expected) => expect(age(at, now, english)).toBe(expected));

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [10 * 1024 * 1024, '10 MiB'],
  [5 * 1024 ** 4, '5120 GiB'],
])('%d bytes are %s', (bytes, expected) => expect(formatBytes(bytes)).toBe(expected));
