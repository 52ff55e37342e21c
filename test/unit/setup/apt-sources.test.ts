import { describe, expect, it } from 'vitest';
import {
  findDebianArchive,
  findSecurityArchive,
  oneLine,
  parseDeb822Sources,
  parseOneLineSources,
} from '../../../server/setup/apt-sources.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const DEB822 = `# Debian
Types: deb deb-src
# A comment between the fields of an entry
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: ${KEYRING}

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: ${KEYRING}

Types: deb
URIs: http://vendor.example/linux
Suites: bookworm
Components: stable
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcdef
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://sources.example/debian
Suites: bookworm
Components: main
`;

const ONE_LINE = `# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=${KEYRING}] http://mirror.example/debian/ bookworm main contrib # a remark
deb-src http://sources.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb https://vendor.example/apt cloud-sdk-bookworm main
`;

describe('apt sources', () => {
  it('in deb822 form are one per address and suite, without disabled and source-only entries', () => {
    const sources = parseDeb822Sources(DEB822);
    expect(sources.map(({ uri, suite }) => `${uri} ${suite}`)).toEqual([
      'http://mirror.example/debian bookworm',
      'http://mirror.example/debian bookworm-updates',
      'http://mirror.example/debian-security bookworm-security',
      'http://vendor.example/linux bookworm',
    ]);
    expect(sources[0]).toMatchObject({ components: ['main', 'contrib'], signedBy: KEYRING });
  });

  it('with a key inside an entry have no keyring that could be named', () => {
    expect(parseDeb822Sources(DEB822).at(-1)?.signedBy).toBeUndefined();
  });

  it('in one-line form leave out comments and sources', () => {
    expect(parseOneLineSources(ONE_LINE)).toEqual([
      { uri: 'http://mirror.example/debian/', suite: 'bookworm', components: ['main', 'contrib'], signedBy: KEYRING },
      {
        uri: 'http://mirror.example/debian-security',
        suite: 'bookworm-security',
        components: ['main'],
        signedBy: undefined,
      },
      { uri: 'https://vendor.example/apt', suite: 'cloud-sdk-bookworm', components: ['main'], signedBy: undefined },
    ]);
  });

  it.each([
    ['deb822', parseDeb822Sources(DEB822)],
    ['one-line', parseOneLineSources(ONE_LINE)],
  ])('in %s form name the Debian archive, not a vendor’s', (_, sources) => {
    expect(findDebianArchive(sources, 'bookworm')?.uri).toMatch(/^http:\/\/mirror\.example\/debian\/?$/);
    expect(findSecurityArchive(sources, 'bookworm')?.uri).toBe('http://mirror.example/debian-security');
    expect(findDebianArchive(sources, 'trixie')).toBeUndefined();
  });

  it('can be written again with another suite, under the same key', () => {
    const archive = findDebianArchive(parseDeb822Sources(DEB822), 'bookworm');
    expect(archive && oneLine(archive, 'trixie')).toBe(
      `deb [signed-by=${KEYRING}] http://mirror.example/debian trixie main`,
    );
    expect(oneLine({ uri: 'http://m.example', suite: 'x', components: [], signedBy: undefined }, 'y')).toBe(
      'deb http://m.example y main',
    );
  });
});
