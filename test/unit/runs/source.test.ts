import { describe, expect, test } from 'vitest';
import { branchOf, checkGitUrl } from '../../../server/runs/source.ts';

describe('a git URL', () => {
  test.each([
    ['https://github.com/caisson/demo.git', 'https://github.com/caisson/demo.git'],
    ['http://mirror.internal:8080/demo.git', 'http://mirror.internal:8080/demo.git'],
    ['ssh://git@github.com/caisson/demo.git', 'ssh://git@github.com/caisson/demo.git'],
    ['git@github.com:caisson/demo.git', 'ssh://git@github.com/caisson/demo.git'],
  ])('%s is accepted', (text, accepted) => {
    expect(checkGitUrl(text)).toBe(accepted);
  });

  test.each([
    ['file:///etc/passwd', 'scheme'],
    ['/srv/repositories/demo', 'not a URL'],
    ['../demo', 'not a URL'],
    ['ext::sh -c id', 'not a URL'],
    ['git://github.com/caisson/demo.git', 'scheme'],
    ['https://user:hunter2@github.com/demo.git', 'credentials'],
    ['https://token@github.com/demo.git', 'credentials'],
    ['ssh://git:hunter2@github.com/demo.git', 'credentials'],
    ['https://github.com/', 'no repository'],
    ['https://github.com/a b', 'not a URL'],
    ['--upload-pack=id', 'not a URL'],
    ['', 'not a URL'],
  ])('%s is refused: %s', (text, reason) => {
    expect(() => checkGitUrl(text)).toThrow(reason);
  });

  test('a refusal does not repeat the credentials', () => {
    expect(() => checkGitUrl('https://user:hunter2@github.com/demo.git')).not.toThrow('hunter2');
  });
});

test('each run works on a branch of its own, named after it', () => {
  expect(branchOf('run_01arz3ndektsv4rrffq69g5fav')).toBe('caisson/q69g5fav');
});
