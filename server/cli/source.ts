import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Client } from '../../shared/client/client.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { SourceInput } from '../../shared/protocol/rest.ts';
import { formatBytes, plural } from './output/format.ts';
import { safeLine } from './output/safe-text.ts';
import type { Terminal } from './terminal.ts';

export type SourceChoice =
  | { readonly kind: 'none' }
  | { readonly kind: 'git'; readonly url: string; readonly ref?: string }
  | { readonly kind: 'folder'; readonly folder: string; readonly ref?: string };

export interface SourceFlags {
  readonly repo?: string;
  readonly ref?: string;
  /** False for `--no-source`. */
  readonly source: boolean;
}

/** What the run is to work on: nothing, a URL that the sandbox clones, or a folder that is uploaded. */
export function chooseSource(flags: SourceFlags, cwd: string): SourceChoice {
  const ref = flags.ref === undefined ? {} : { ref: flags.ref };
  if (!flags.source) {
    if (flags.repo !== undefined || flags.ref !== undefined)
      throw new CaissonError('invalid_request', '--no-source cannot stand beside --repo or --ref.');
    return { kind: 'none' };
  }
  const repo = flags.repo ?? '.';
  if (!isGitUrl(repo)) return { kind: 'folder', folder: resolve(cwd, repo), ...ref };
  return { kind: 'git', url: checkedUrl(repo), ...ref };
}

/** `scheme://…`, or scp's `user@host:path`; anything else is a path. */
function isGitUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^[\w.-]+@[\w.-]+:(?!\/\/)/.test(text);
}

/** The server checks again; here it is checked so that a password in the URL never leaves this machine. */
function checkedUrl(text: string): string {
  if (!text.includes('://')) return text;
  if (!URL.canParse(text))
    throw new CaissonError('invalid_request', 'The git URL cannot be read; it must look like https://host/path.');
  const url = new URL(text);
  if (url.protocol === 'file:')
    throw new CaissonError(
      'invalid_request',
      'A file:// URL would be a path in the sandbox. Give the folder itself: --repo PATH.',
    );
  if (url.password !== '' || (url.username !== '' && url.protocol !== 'ssh:'))
    throw new CaissonError(
      'invalid_request',
      'The git URL contains credentials, which would be stored with the run. Remove them.',
    );
  return text;
}

/** Packs and uploads what has to be uploaded. What is made on the way is gone afterwards, whatever happens. */
export async function provideSource(
  choice: SourceChoice,
  client: Client,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SourceInput> {
  if (choice.kind !== 'folder') return choice;
  const { snapshot } = await import('./git/snapshot.ts');
  terminal.progress(`Packing ${safeLine(choice.folder)} …`);
  await using bundle = await snapshot(choice.folder, { ...(choice.ref !== undefined && { ref: choice.ref }), signal });
  for (const warning of bundle.warnings) terminal.note(`${terminal.notePaint('warn', '!')} ${safeLine(warning)}`);
  const dirty = bundle.uncommitted > 0 ? `, with ${plural(bundle.uncommitted, 'uncommitted file')}` : '';
  const upload = await client.uploads.create(createReadStream(bundle.path, { highWaterMark: 256 * 1024 }), {
    signal,
    onProgress: (sent) =>
      terminal.progress(`Uploading ${formatBytes(bundle.bytes)}: ${Math.floor((sent / bundle.bytes) * 100)} %`),
  });
  terminal.progress('');
  terminal.note(
    terminal.notePaint(
      'dim',
      `Uploaded ${safeLine(choice.folder)}${dirty}: ${formatBytes(upload.bytes)} as a git bundle`,
    ),
  );
  return { kind: 'upload', uploadId: upload.id };
}
