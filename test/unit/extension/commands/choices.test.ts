import { expect, test } from 'vitest';
import {
  orderAgents,
  parseChoices,
  pickRemembered,
  placePrefix,
} from '../../../../extension/commands/start-run/choices.ts';

test.each([undefined, null, 'x', { environment: 1, agent: 2, source: 'moon' }])(
  'without a memory that makes sense (%j) there are defaults',
  (stored) => expect(parseChoices(stored)).toEqual({ environment: 'default', agent: undefined, source: 'workspace' }),
);

test('what was remembered may be gone', () => {
  const items = [{ name: 'a' }, { name: 'b' }];
  expect(pickRemembered(items, 'b')).toBe(items[1]);
  expect(pickRemembered(items, 'c')).toBe(items[0]);
  expect(pickRemembered([], 'a')).toBeUndefined();
});

test('agents that can work come first, those with a model before the shell', () => {
  const agents = [
    { name: 'gemini', available: false },
    { name: 'shell', available: true },
    { name: 'codex', available: true },
    { name: 'claude', available: true },
  ];
  expect(orderAgents(agents).map(({ name }) => name)).toEqual(['claude', 'codex', 'shell', 'gemini']);
});

test.each([
  [{ path: 'src/a.ts' }, 'In src/a.ts: '],
  [{ path: 'src/a.ts', lines: { first: 3, last: 3 } }, 'In src/a.ts, line 3: '],
  [{ path: 'src/a.ts', lines: { first: 3, last: 9 } }, 'In src/a.ts, lines 3-9: '],
])('%j begins the prompt', (place, expected) => expect(placePrefix(place)).toBe(expected));
