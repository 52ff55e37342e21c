import { afterEach, describe, expect, test } from 'vitest';
import { formatBytes, formatClock, formatDuration } from '../../../../webview/kit/format.ts';
import { locale, setLanguage, t } from '../../../../webview/kit/l10n.ts';
import { json, plainOutput, visible } from '../../../../webview/kit/visible.ts';

afterEach(() => setLanguage({}, 'en'));

describe('translations', () => {
  test('the English text is the key, and what is not translated stays English', () => {
    setLanguage({ 'Hello {0}': '{0}, hallo' }, 'de');
    expect(t('Hello {0}', 'Ada')).toBe('Ada, hallo');
    expect(t('{1} before {0}', 'a', 2)).toBe('2 before a');
    expect(t('{0} and {3}', 'a')).toBe('a and {3}');
    expect(t('constructor')).toBe('constructor');
  });

  test('an argument is not a pattern', () => {
    expect(t('{0}', '{1} $& $1')).toBe('{1} $& $1');
  });

  test('a language that does not exist is English', () => {
    setLanguage({}, 'not a language');
    expect(locale()).toBe('en');
  });
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [999_949, '999.9 kB'],
  [999_960, '1 MB'],
  [8_234_120, '8.2 MB'],
  [5e15, '5,000 TB'],
])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [-5, '0 ms', '0 s'],
  [340, '340 ms', '0 s'],
  [4250, '4.2 s', '4 s'],
  [59_999, '59 s', '59 s'],
  [187_000, '3:07', '3:07'],
  [3_765_000, '1:02:45', '1:02:45'],
])('%d ms are %s, and %s on a clock', (ms, text, clock) => {
  expect(formatDuration(ms)).toBe(text);
  expect(formatClock(ms)).toBe(clock);
});

describe('text of agents and programs', () => {
  test('cannot hide what it says', () => {
    expect(visible('rm -rf / \u202e# harmless\u2066')).toBe(String.raw`rm -rf / \u202e# harmless\u2066`);
    expect(visible('a\rb\u0000c\u009b31m')).toBe(String.raw`a\u000db\u0000c\u009b31m`);
    expect(visible('tabs\tand\nlines, Ωμέγα, שלום, 🙂')).toBe('tabs\tand\nlines, Ωμέγα, שלום, 🙂');
  });

  test('from a terminal loses its colours and keeps its lines', () => {
    expect(plainOutput('\u001b[1;32mok\u001b[0m\r\n50%\r100%\u001b[2K')).toBe('ok\n50%\n100%');
    expect(plainOutput('\u001b]0;title\u0007')).toBe(String.raw`\u001b]0;title\u0007`);
  });

  test('in JSON is as visible', () => {
    expect(json({ command: 'a\u202eb' })).toBe('{\n  "command": "a\\u202eb"\n}');
    expect(json(undefined)).toBe('undefined');
  });
});
