import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** The invariants about who may import whom, from ARCHITECTURE.md. Allowed imports are data; the test reads the sources. */
const root = fileURLToPath(new URL('../..', import.meta.url));

/** package → the folders (and only those) that may import it. */
const HOME_OF_PACKAGE: Record<string, readonly string[]> = {
  dockerode: ['server/sandbox/gvisor'],
  mongodb: ['server/store/mongo'],
  libsql: ['server/store/embedded'],
  express: ['server/api'],
  'express-rate-limit': ['server/api'],
  helmet: ['server/api'],
  ws: ['server/stream', 'shared/client'],
  '@vscode/webview-ui-toolkit': ['webview/kit'],
  otplib: ['server/auth'],
  jsonwebtoken: ['server/auth'],
  'http-proxy': ['server/egress'],
  'node-unix-socket': ['server/witness'],
  '@agentclientprotocol/sdk': ['server/acp'],
  commander: ['server/cli'],
};

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** For relative imports, the file below the root. */
  readonly target: string | undefined;
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(ts|tsx|mts)$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const specifiers = [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"\n]+)['"]/g)].map(
    (match) => match[1] ?? '',
  );
  return specifiers.map((specifier) => ({
    file,
    specifier,
    target: specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : undefined,
  }));
}

const folders = ['shared', 'server', 'extension', 'webview'];
const files = folders.flatMap(sources);
const imports = files.flatMap(importsOf);

describe('boundaries', () => {
  test('the sources were seen at all', () => {
    expect(files.length).toBeGreaterThan(80);
    expect(imports.length).toBeGreaterThan(300);
    expect(imports.some((entry) => entry.specifier === 'dockerode')).toBe(true);
    expect(imports.some((entry) => entry.target === 'shared/protocol/events.ts')).toBe(true);
  });

  test('shared imports nothing above it, and nothing of Node, VS Code or the DOM', () => {
    const wrong = imports
      .filter((entry) => entry.file.startsWith('shared/'))
      .filter(
        (entry) =>
          /^(node:|vscode$)/.test(entry.specifier) ||
          (entry.target !== undefined && !entry.target.startsWith('shared/')),
      );
    expect(wrong).toEqual([]);
  });

  test('extension and webview never import the server', () => {
    expect(
      imports.filter((entry) => /^(extension|webview)\//.test(entry.file) && entry.target?.startsWith('server/')),
    ).toEqual([]);
  });

  test('webview imports only itself and shared, and nothing of Node or VS Code', () => {
    const inWebview = imports.filter((entry) => entry.file.startsWith('webview/'));
    expect(inWebview.some((entry) => entry.specifier === '@vscode/webview-ui-toolkit')).toBe(true);
    const wrong = inWebview.filter(
      (entry) => /^(node:|vscode$)/.test(entry.specifier) || !/^(webview|shared)\//.test(entry.target ?? 'webview/'),
    );
    expect(wrong).toEqual([]);
  });

  test.each(Object.entries(HOME_OF_PACKAGE))('only its own folder imports %s', (name, homes) => {
    const users = imports.filter((entry) => entry.specifier === name || entry.specifier.startsWith(`${name}/`));
    expect(users.filter((entry) => !homes.some((home) => entry.file.startsWith(`${home}/`)))).toEqual([]);
  });

  test('the command line reaches the server only through its composition root, its configuration and its set-up', () => {
    const allowed =
      /^server\/(cli|main\.ts|config|setup|base|sandbox\/gvisor\/engine\.ts|store\/embedded\/database\.ts|vault\/signing-key\.ts)|^shared\//;
    const wrong = imports.filter(
      (entry) => entry.file.startsWith('server/cli/') && entry.target !== undefined && !allowed.test(entry.target),
    );
    expect(wrong).toEqual([]);
  });

  test('only server/context.ts constructs the sandbox runtime and the store', () => {
    const users = imports.filter((entry) =>
      /^server\/(sandbox\/gvisor\/runtime|store\/embedded\/store)\.ts$/.test(entry.target ?? ''),
    );
    const outside = users
      .map((entry) => entry.file)
      .filter((file) => !file.startsWith('server/sandbox/') && !file.startsWith('server/store/'));
    expect(new Set(outside)).toEqual(new Set(['server/context.ts']));
  });
});
