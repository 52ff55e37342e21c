/** One archive of Debian packages as apt knows it: everything needed to name it again in a source of our own. */
export interface AptSource {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  /** A keyring's path or fingerprint list, as `Signed-By` holds it; undefined means apt's own trusted keys. */
  readonly signedBy: string | undefined;
}

/** Reads `*.sources` files (deb822, sources.list(5)). Entries that are disabled or only hold sources are left out. */
export function parseDeb822Sources(text: string): AptSource[] {
  return text
    .split(/\n[ \t]*\n/)
    .map(parseStanza)
    .filter(
      (fields) => words(fields.get('types')).includes('deb') && !/^(no|false)$/i.test(fields.get('enabled') ?? ''),
    )
    .flatMap((fields) =>
      words(fields.get('uris')).flatMap((uri) =>
        words(fields.get('suites')).map((suite) => ({
          uri,
          suite,
          components: words(fields.get('components')),
          signedBy: signedByPath(fields.get('signed-by')),
        })),
      ),
    );
}

/** Reads `*.list` files (one line per source, sources.list(5)). */
export function parseOneLineSources(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)/.exec(line);
    if (!match) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1];
    return [{ uri, suite, components: words(components), signedBy }];
  });
}

/**
 * The Debian archive among a machine's sources: it alone carries a suite of exactly the release's code name with the
 * component `main` (vendors' repositories have other suites or components). Undefined where there is none.
 */
export function findDebianArchive(sources: readonly AptSource[], codename: string): AptSource | undefined {
  return sources.find((source) => source.suite === codename && source.components.includes('main'));
}

/** The security archive that belongs to the same release. */
export function findSecurityArchive(sources: readonly AptSource[], codename: string): AptSource | undefined {
  return sources.find((source) => source.suite === `${codename}-security` && source.components.includes('main'));
}

/** The same archive with another suite, as one line of sources.list(5). */
export function oneLine(source: AptSource, suite: string): string {
  const options = source.signedBy === undefined ? '' : `[signed-by=${source.signedBy}] `;
  return `deb ${options}${source.uri} ${suite} main`;
}

function parseStanza(stanza: string): Map<string, string> {
  const fields = new Map<string, string>();
  let current = '';
  for (const line of stanza.split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue;
    const field = /^([A-Za-z-]+):\s*(.*)$/.exec(line);
    if (field) {
      current = field[1]!.toLowerCase();
      fields.set(current, field[2]!);
    } else if (current !== '') {
      fields.set(current, `${fields.get(current) ?? ''}\n${line.trim()}`);
    }
  }
  return fields;
}

/** `Signed-By` may also hold a whole key; that cannot be repeated on one line, so apt's trusted keys must do. */
function signedByPath(value: string | undefined): string | undefined {
  const first = words(value)[0];
  return first?.startsWith('/') ? first : undefined;
}

function words(text: string | undefined): string[] {
  return (text ?? '').split(/\s+/).filter((word) => word !== '');
}
