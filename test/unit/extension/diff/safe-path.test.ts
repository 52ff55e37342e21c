import { expect, test } from 'vitest';
import { isSafePath, toolingFiles } from '../../../../extension/diff/safe-path.ts';

test.each(['a', 'src/a.ts', '.gitignore', '.github/x', 'a..b', '...', 'x.git/y', 'ünï'])('%s may be written', (path) =>
  expect(isSafePath(path)).toBe(true),
);

test.each([
  '',
  '/etc/passwd',
  '../a',
  'a/../../b',
  './a',
  'a//b',
  '.git/config',
  'sub/.git/hooks/pre-commit',
  '.GIT/config',
  '.git./config',
  '.git /config',
  'git~1/config',
  '.g\u200cit/config',
  '.git::$INDEX_ALLOCATION/config',
  'C:/x',
  'a\\..\\b',
  'a\0b',
])('%j may not', (path) => expect(isSafePath(path)).toBe(false));

test('files that tools act upon are named', () => {
  const acting = [
    '.vscode/tasks.json',
    'app.code-workspace',
    '.devcontainer/devcontainer.json',
    '.github/workflows/ci.yml',
    '.gitattributes',
    'sub/.gitmodules',
    '.husky/pre-commit',
    '.envrc',
    '.npmrc',
  ];
  expect(toolingFiles([...acting, 'src/vscode/a.ts', 'README.md', 'npmrc'])).toEqual(acting);
});
