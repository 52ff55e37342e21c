/** One file's part of a patch as git writes it (git-diff(1), «Generating patch text with -p»). */
export interface FilePatch {
  readonly path: string;
  readonly previousPath?: string;
  readonly status: 'added' | 'modified' | 'deleted' | 'renamed';
  /** Blob ids, whole (`--full-index`); undefined where there is no file on that side. */
  readonly oldId?: string;
  readonly newId?: string;
  /** The file's mode after the change, or before it where it was deleted: `100644`, `120000` … */
  readonly mode: string;
  readonly binary: boolean;
  readonly insertions: number;
  readonly deletions: number;
  readonly hunks: readonly Hunk[];
  /** Where its bytes are in the patch. */
  readonly start: number;
  readonly end: number;
}

export interface Hunk {
  readonly oldStart: number;
  readonly newStart: number;
  /** What git prints behind the second `@@`: the function, usually. */
  readonly section: string;
  readonly lines: readonly HunkLine[];
}

export interface HunkLine {
  readonly kind: 'context' | 'added' | 'removed';
  /** With its line break, except at the end of a file that does not end with one. */
  readonly text: string;
}

const BEGIN = 'diff --git ';
const NO_BLOB = /^0+$/;

/**
 * Reads a patch. It comes from a sandbox: nothing in it is believed beyond its form, and a part that cannot be read is
 * an error, so that nobody is shown less than will be applied.
 * @throws {Error} when it does not have the form that git gives it
 */
export function parsePatch(patch: Uint8Array): FilePatch[] {
  // One character for each byte, so that places in the text are places in the patch.
  const text = Buffer.from(patch.buffer, patch.byteOffset, patch.byteLength).toString('latin1');
  const files: FilePatch[] = [];
  if (!text.startsWith(BEGIN) && text.trim() !== '') throw new Error('The patch does not begin with «diff --git».');
  for (let at = text.startsWith(BEGIN) ? 0 : text.length; at < text.length;) {
    // A line of a file's content begins with ' ', '+', '-' or '\\', and base 85 has no spaces, so this is a new file.
    const next = text.indexOf(`\n${BEGIN}`, at);
    const end = next < 0 ? text.length : next + 1;
    files.push(parseFile(text.slice(at, end), at, end));
    at = end;
  }
  return files;
}

function parseFile(text: string, start: number, end: number): FilePatch {
  const body = text.search(/^(@@ |GIT binary patch|Binary files )/m);
  const header = text.slice(0, body < 0 ? text.length : body);
  const field = (pattern: RegExp) => pattern.exec(header)?.[1];
  const index = /^index ([0-9a-f]+)\.\.([0-9a-f]+)(?: (\d+))?$/m.exec(header);
  const added = field(/^new file mode (\d+)$/m);
  const deleted = field(/^deleted file mode (\d+)$/m);
  const previous = field(/^rename from (.+)$/m);
  const binary = body >= 0 && text[body] !== '@';
  const hunks = body >= 0 && !binary ? parseHunks(text.slice(body)) : [];
  const lines = hunks.flatMap((hunk) => hunk.lines);
  const [oldId, newId] = [index?.[1], index?.[2]].map((id) => (id === undefined || NO_BLOB.test(id) ? undefined : id));
  const path = field(/^\+\+\+ (?!\/dev\/null)(.+?)\t?$/m) ?? field(/^--- (?!\/dev\/null)(.+?)\t?$/m);
  return {
    path: path === undefined ? pathOfFirstLine(text) : withoutPrefix(unquote(path)),
    ...(previous !== undefined && { previousPath: unquote(previous) }),
    status: added ? 'added' : deleted ? 'deleted' : previous === undefined ? 'modified' : 'renamed',
    ...(oldId !== undefined && { oldId }),
    ...(newId !== undefined && { newId }),
    mode: added ?? deleted ?? field(/^new mode (\d+)$/m) ?? index?.[3] ?? '100644',
    binary,
    insertions: lines.filter((line) => line.kind === 'added').length,
    deletions: lines.filter((line) => line.kind === 'removed').length,
    hunks,
    start,
    end,
  };
}

/** `diff --git a/NAME b/NAME`: without renames both names are the same, so the middle is where they part. */
function pathOfFirstLine(text: string): string {
  const names = text.slice(BEGIN.length, text.indexOf('\n'));
  const rename = /^rename to (.+)$/m.exec(text)?.[1];
  if (rename !== undefined) return unquote(rename);
  return withoutPrefix(unquote(names.slice(0, (names.length - 1) / 2)));
}

const withoutPrefix = (name: string) => name.replace(/^[ab]\//, '');

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  t: '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

/** Undoes git's quoting of unusual names (git-config(1), core.quotePath) and decodes UTF-8. */
function unquote(name: string): string {
  const quoted = /^"(.*)"$/s.exec(name)?.[1];
  const bytes =
    quoted?.replace(/\\([abtnvfr"\\]|[0-7]{3})/g, (_, escape: string) =>
      escape.length === 3 ? String.fromCharCode(Number.parseInt(escape, 8)) : ESCAPES[escape]!,
    ) ?? name;
  return decode(bytes);
}

const decode = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8');

const KINDS: Readonly<Record<string, HunkLine['kind']>> = { ' ': 'context', '+': 'added', '-': 'removed' };

function parseHunks(text: string): Hunk[] {
  const hunks: Hunk[] = [];
  let lines: { kind: HunkLine['kind']; text: string }[] = [];
  let left = { old: 0, new: 0 };
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    if (left.old > 0 || left.new > 0) {
      // An editor or a mail may have taken the single space from an empty line of context.
      const kind = line === '\n' ? 'context' : KINDS[line[0] ?? ''];
      if (kind !== undefined) {
        lines.push({ kind, text: decode(line === '\n' ? line : line.slice(1)) });
        if (kind !== 'added') left.old--;
        if (kind !== 'removed') left.new--;
        continue;
      }
    }
    const last = lines.at(-1);
    if (line.startsWith('\\')) {
      if (last) last.text = last.text.replace(/\n$/, '');
      continue;
    }
    const head = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)\n?$/.exec(line);
    if (!head || left.old > 0 || left.new > 0)
      throw new Error(`The patch has a line that belongs nowhere: ${hunks.length}`);
    lines = [];
    left = { old: Number(head[2] ?? 1), new: Number(head[4] ?? 1) };
    hunks.push({ oldStart: Number(head[1]), newStart: Number(head[3]), section: decode(head[5] ?? ''), lines });
  }
  return hunks;
}
