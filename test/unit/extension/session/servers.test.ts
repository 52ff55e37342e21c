import { describe, expect, test } from 'vitest';
import {
  currentServer,
  NO_SERVERS,
  parseServerList,
  withoutServer,
  withServer,
  type KnownServer,
} from '../../../../extension/session/servers.ts';

const server = (url: string, fields: Partial<KnownServer> = {}): KnownServer => ({
  url,
  organization: 'Acme',
  memberId: 'mem_1',
  memberName: 'Ada',
  role: 'member',
  scopes: ['runs:read'],
  ...fields,
});

describe('the list of servers', () => {
  test('the one that was signed in to last is in use', () => {
    const list = withServer(withServer(NO_SERVERS, server('https://a')), server('https://b'));
    expect(currentServer(list)?.url).toBe('https://b');
    expect(list.servers.map(({ url }) => url)).toEqual(['https://a', 'https://b']);
  });

  test('signing in again replaces what was known', () => {
    const list = withServer(withServer(NO_SERVERS, server('https://a')), server('https://a', { role: 'lead' }));
    expect(list.servers).toEqual([server('https://a', { role: 'lead' })]);
  });

  test('signing out of the one in use leaves none in use; of another one changes nothing else', () => {
    const list = withServer(withServer(NO_SERVERS, server('https://a')), server('https://b'));
    expect(currentServer(withoutServer(list, 'https://b'))).toBeUndefined();
    expect(currentServer(withoutServer(list, 'https://a'))?.url).toBe('https://b');
  });

  test('it survives being stored, and scopes of a newer server are left out', () => {
    const list = withServer(NO_SERVERS, server('https://a'));
    const stored: unknown = JSON.parse(JSON.stringify(list));
    expect(parseServerList(stored)).toEqual(list);
    const newer = { ...list, servers: [{ ...list.servers[0], scopes: ['runs:read', 'moon:write'] }] };
    expect(parseServerList(newer).servers[0]?.scopes).toEqual(['runs:read']);
  });

  test.each([undefined, null, 'x', {}, { current: 'https://a' }, { current: null, servers: [{ url: 1 }] }])(
    'what makes no sense (%j) is forgotten',
    (stored) => expect(parseServerList(stored)).toEqual(NO_SERVERS),
  );
});
