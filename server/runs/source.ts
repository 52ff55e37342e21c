import type { Readable } from 'node:stream';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { SourceInput } from '../../shared/protocol/rest.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { RunEnd } from './run-end.ts';
import { capture } from './steps.ts';

/** Bringing the source in. Everything that parses it (git above all) runs inside the sandbox, never on the server. */

export interface SourceReady {
  readonly base: string;
  readonly branch: string;
  readonly files: number;
}

const DEADLINE_MS = 15 * 60_000;

/**
 * The script's arguments are positional, so nothing that a user sent is ever read as shell. It ends by printing the
 * commit that the patch is made against and the number of files.
 */
const SCRIPT = `set -euo pipefail
kind=$1 branch=$2 url=$3 ref=$4
cd /workspace
git init -q -b "$branch"
git config user.name 'Caisson agent'
git config user.email agent@caisson.invalid
case $kind in
  none)
    git commit -q --allow-empty -m 'Empty workspace' ;;
  upload)
    cat > .git/source.bundle
    heads=$(git bundle list-heads .git/source.bundle)
    for wanted in refs/heads/caisson-source HEAD 'refs/heads/.*'; do
      name=$(printf '%s\\n' "$heads" | sed -n "s|^[0-9a-f]* \\($wanted\\)\\$|\\1|p" | head -n 1)
      [ -z "$name" ] || break
    done
    [ -n "$name" ] || { echo 'the bundle has neither HEAD nor a branch' >&2; exit 1; }
    git fetch -q --no-tags .git/source.bundle "$name"
    rm .git/source.bundle
    git checkout -q -B "$branch" FETCH_HEAD ;;
  git)
    git remote add origin "$url"
    git -c protocol.allow=never -c protocol.https.allow=always -c protocol.http.allow=always -c protocol.ssh.allow=always \\
      fetch -q --no-tags origin "$ref"
    git checkout -q -B "$branch" FETCH_HEAD ;;
esac
printf '%s %s\\n' "$(git rev-parse HEAD)" "$(git ls-files | wc -l)"
`;

export async function bringSource(
  sandbox: Sandbox,
  source: SourceInput,
  options: { branch: string; bundle?: Readable; signal: AbortSignal },
): Promise<SourceReady> {
  const url = source.kind === 'git' ? source.url : '';
  const ref = source.kind === 'git' ? (source.ref ?? 'HEAD') : '';
  const result = await capture(sandbox, ['bash', '-c', SCRIPT, 'source', source.kind, options.branch, url, ref], {
    ...(options.bundle ? { stdin: options.bundle } : {}),
    env: GIT_ENV,
    maxBytes: 4096,
    deadlineMs: DEADLINE_MS,
    signal: options.signal,
    what: 'Bringing the source into the sandbox',
  });
  if (result.exitCode !== 0) {
    throw RunEnd.failed(
      'source_failed',
      `The source could not be brought in: ${lastLines(result.stderr) || `git ended with ${result.exitCode}`}`,
    );
  }
  const match = /^([0-9a-f]{40,64}) (\d+)\n$/.exec(result.stdout.toString('latin1'));
  if (!match?.[1]) throw RunEnd.failed('source_failed', 'The source could not be brought in: git gave no commit.');
  return { base: match[1], branch: options.branch, files: Number(match[2]) };
}

/** What git needs to be quiet and predictable, and to ask nobody anything. */
export const GIT_ENV = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_NO_REPLACE_OBJECTS: '1',
  LC_ALL: 'C.UTF-8',
};

/** The branch that a run works on, and whose name its bundle carries. */
export function branchOf(runId: string): string {
  return `caisson/${runId.slice(-8)}`;
}

/**
 * A git URL that may be fetched: https, http or ssh to a host, without credentials. `git@host:path` becomes ssh://.
 * @throws {CaissonError} `invalid_request` that says which part is not accepted; the URL's secrets are not repeated
 */
export function checkGitUrl(text: string): string {
  const scp = /^(?:([\w.-]+)@)?([\w.-]+):(?!\/\/)([^\s]+)$/.exec(text);
  const candidate = scp && !text.includes('://') ? `ssh://${scp[1] ?? 'git'}@${scp[2]}/${scp[3]}` : text;
  if (!URL.canParse(candidate) || /\s/.test(candidate))
    throw badUrl('it is not a URL of the form https://host/path or ssh://git@host/path');
  const url = new URL(candidate);
  if (!['https:', 'http:', 'ssh:'].includes(url.protocol))
    throw badUrl(`the scheme ${url.protocol}// is not accepted; use https:// or ssh://`);
  if (url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:')) {
    throw badUrl('it contains credentials, which would be stored with the run; remove them');
  }
  if (url.hostname === '' || url.pathname === '/' || url.pathname === '') throw badUrl('it names no repository');
  return candidate;
}

function badUrl(reason: string): CaissonError {
  const message = `The git URL was refused: ${reason}.`;
  return new CaissonError('invalid_request', message, { details: [{ path: 'source.url', message: reason }] });
}

function lastLines(stderr: string): string {
  return stderr.trim().split('\n').slice(-3).join(' ').slice(0, 500);
}
