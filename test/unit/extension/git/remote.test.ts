import { describe, expect, test } from 'vitest';
import { parseRemoteBranches, parseRemoteUrls, portableUrl } from '../../../../extension/git/remote.ts';

describe('an address that means the same everywhere', () => {
  test.each([
    ['https://host/team/app.git', 'https://host/team/app.git'],
    ['https://ada:secret@host/team/app.git', 'https://host/team/app.git'],
    ['https://token@host/app', 'https://host/app'],
    ['ssh://git@host:2222/app.git', 'ssh://git@host:2222/app.git'],
    ['git@host:team/app.git', 'ssh://git@host/team/app.git'],
    ['host.example:team/app.git', 'ssh://git@host.example/team/app.git'],
    ['/srv/git/app.git', undefined],
    ['../app', undefined],
    ['C:\\repos\\app', undefined],
    ['C:/repos/app', undefined],
    ['file:///srv/git/app.git', undefined],
  ])('%s → %s', (url, expected) => {
    expect(portableUrl(url)).toBe(expected);
  });
});

test('branches of remotes that a sandbox can reach', () => {
  const urls = parseRemoteUrls(
    ['remote.origin.url https://host/app', 'remote.team/fork.url git@host:fork', 'remote.disk.url /srv/app', ''].join(
      '\n',
    ),
  );
  const refs = 'origin\norigin/HEAD\norigin/main\norigin/fix/parser\nteam/fork/main\ndisk/main\nlost/main\n';
  expect(parseRemoteBranches(refs, urls)).toEqual([
    { remote: 'origin', branch: 'main', url: 'https://host/app' },
    { remote: 'origin', branch: 'fix/parser', url: 'https://host/app' },
    { remote: 'team/fork', branch: 'main', url: 'ssh://git@host/fork' },
  ]);
});
