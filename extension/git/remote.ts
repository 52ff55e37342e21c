/**
 * What of a repository's remotes a run can start from. The sandbox fetches by itself, through the egress gateway, so
 * only addresses that mean the same everywhere will do.
 */
export interface RemoteBranch {
  readonly remote: string;
  readonly branch: string;
  /** https or ssh, without credentials. */
  readonly url: string;
}

/**
 * The address of a remote as a run can use it: credentials taken out (they would be stored with the run), scp's short
 * form written out.
 * @returns undefined for paths and schemes that only mean something on this machine
 */
export function portableUrl(text: string): string | undefined {
  const scp = /^(?:([\w.-]+)@)?([\w.-]+):(?!\/\/)(?!\\)(.+)$/.exec(text);
  // `C:\repo` and `C:/repo` are paths, not hosts of one letter.
  if (scp?.[2] && scp[2].length > 1 && !text.includes('://')) return `ssh://${scp[1] ?? 'git'}@${scp[2]}/${scp[3]}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!['https:', 'http:', 'ssh:'].includes(url.protocol) || url.hostname === '') return undefined;
  url.password = '';
  if (url.protocol !== 'ssh:') url.username = '';
  return url.href;
}

/** Reads `git for-each-ref --format='%(refname:lstrip=2)' refs/remotes`; the remotes' HEADs are no branches. */
export function parseRemoteBranches(output: string, urls: ReadonlyMap<string, string>): RemoteBranch[] {
  const remotes = [...urls.keys()].sort((a, b) => b.length - a.length);
  return output.split('\n').flatMap((line) => {
    const name = line.trim();
    const remote = remotes.find((candidate) => name.startsWith(`${candidate}/`));
    const branch = remote === undefined ? '' : name.slice(remote.length + 1);
    const url = remote === undefined ? undefined : portableUrl(urls.get(remote) ?? '');
    return remote === undefined || url === undefined || branch === '' || branch === 'HEAD'
      ? []
      : [{ remote, branch, url }];
  });
}

/** Reads `git config --get-regexp '^remote\..*\.url$'`. */
export function parseRemoteUrls(output: string): Map<string, string> {
  const urls = new Map<string, string>();
  for (const line of output.split('\n')) {
    const match = /^remote\.(.+)\.url (.+)$/.exec(line);
    if (match?.[1] && match[2] && !urls.has(match[1])) urls.set(match[1], match[2]);
  }
  return urls;
}
