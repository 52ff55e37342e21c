import { describe, expect, test } from 'vitest';
import { checkServerUrl, normalizeServerUrl, serverName } from '../../../../extension/session/server-url.ts';
import { english } from '../../../../extension/support/localizer.ts';

describe('a server has one spelling', () => {
  test.each([
    ['http://127.0.0.1:7480', 'http://127.0.0.1:7480'],
    [' http://127.0.0.1:7480/ ', 'http://127.0.0.1:7480'],
    ['HTTPS://Caisson.Example/', 'https://caisson.example'],
    ['https://host/team/a/?x=1#y', 'https://host/team/a'],
    ['127.0.0.1:7480', 'http://127.0.0.1:7480'],
    ['localhost:7480', 'http://localhost:7480'],
    ['caisson.example', 'https://caisson.example'],
    ['127.evil.example', 'https://127.evil.example'],
  ])('%s', (typed, expected) => {
    expect(normalizeServerUrl(typed)).toBe(expected);
    expect(normalizeServerUrl(expected)).toBe(expected);
  });
});

describe('while an address is typed', () => {
  test.each([
    ['', 'error'],
    ['   ', 'error'],
    ['http://', 'error'],
    ['ftp://host', 'error'],
    ['https://user:secret@host', 'error'],
    ['http://caisson.example:7480', 'warning'],
    ['http://127.example.com', 'warning'],
  ])('%s is a matter of %s', (typed, severity) => {
    expect(checkServerUrl(typed, english)?.severity).toBe(severity);
  });

  test.each(['http://127.0.0.1:7480', 'http://localhost', 'http://[::1]:7480', 'https://caisson.example', 'host:7480'])(
    '%s is fine',
    (typed) => expect(checkServerUrl(typed, english)).toBeUndefined(),
  );

  test('a password in it is not repeated', () => {
    expect(checkServerUrl('https://user:secret@host', english)?.message).not.toContain('secret');
  });
});

test('a server is shown without its scheme', () => {
  expect(serverName('https://host:7480/team')).toBe('host:7480/team');
});
