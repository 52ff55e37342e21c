/**
 * Whether a path from a patch may be written below a folder. git checks the same for what it applies (git-apply(1),
 * --unsafe-paths); this is for what the extension writes itself.
 */
export function isSafePath(path: string): boolean {
  if (path === '' || path.includes('\0') || path.includes('\\') || /^([a-z]:|\/)/i.test(path)) return false;
  return path.split('/').every((part) => !['', '.', '..'].includes(part) && !isGitFolder(part));
}

/** `.git` as file systems that fold case, or drop trailing dots and spaces, would understand it (CVE-2014-9390). */
function isGitFolder(part: string): boolean {
  const folded = part
    .normalize('NFKC')
    .replace(/[\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/g, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();
  return folded === '.git' || folded === 'git~1' || folded.startsWith('.git:');
}

/**
 * Files that tools act upon by themselves as soon as they are there: what an agent wrote into them runs on this
 * machine, outside any sandbox, so the user is told before they are applied.
 */
const TOOLING = [
  /^\.vscode\//,
  /\.code-workspace$/,
  /(^|\/)\.devcontainer(\/|\.json$)/,
  /^\.(github|gitlab|circleci)\//,
  /(^|\/)\.gitlab-ci\.yml$/,
  /(^|\/)\.git(attributes|modules)$/,
  /(^|\/)\.(husky|githooks)\//,
  /(^|\/)\.(envrc|npmrc|yarnrc|yarnrc\.yml|pre-commit-config\.yaml)$/,
];

export function toolingFiles(paths: readonly string[]): string[] {
  return paths.filter((path) => TOOLING.some((pattern) => pattern.test(path)));
}
