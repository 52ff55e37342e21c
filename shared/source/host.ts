/**
 * What making a snapshot needs from the machine, so that the CLI and the extension share every decision (which git
 * commands, in which order, on which copies) and each brings only its own way to start git and to touch files.
 */
export interface SourceHost {
  /**
   * Starts git with exactly these arguments and environment, and resolves whatever its exit code.
   * @throws {CaissonError} when git cannot be started or exceeds its deadline; the abort reason when `signal` aborts
   */
  runGit(args: readonly string[], options: GitCall): Promise<GitResult>;
  /** The environment that git would inherit. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: SourceFiles;
}

export interface GitCall {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The few operations on files; paths are the host's own, absolute. */
export interface SourceFiles {
  readonly homeFolder: string;
  join(...parts: readonly string[]): string;
  /** True for the top of a file system: `/`, or a drive. */
  isRoot(path: string): boolean;
  /** The folder's real path; undefined where there is no folder. */
  realFolder(path: string): Promise<string | undefined>;
  makeFolder(path: string): Promise<void>;
  /** A new empty folder that nobody else can read. */
  makeTemporaryFolder(prefix: string): Promise<string>;
  remove(folder: string): Promise<void>;
  writeText(path: string, text: string): Promise<void>;
  /** Bytes. */
  size(path: string): Promise<number>;
  /** Copies a file and gives the copy its original's time of change, cut to whole seconds; false where there is none. */
  copyWithTime(from: string, to: string): Promise<boolean>;
}

/** The functions of Node's `fs/promises`, `path` and `os` that the files come from. */
export interface NodeFunctions {
  copyFile(from: string, to: string): Promise<void>;
  mkdir(path: string, options: { recursive: true }): Promise<unknown>;
  mkdtemp(prefix: string): Promise<string>;
  realpath(path: string): Promise<string>;
  rm(path: string, options: { recursive: true; force: true; maxRetries: number }): Promise<void>;
  stat(path: string): Promise<{ isDirectory(): boolean; readonly mtimeMs: number; readonly size: number }>;
  utimes(path: string, accessed: number, modified: number): Promise<void>;
  writeFile(path: string, text: string): Promise<void>;
  join(...parts: string[]): string;
  parse(path: string): { readonly root: string };
  homedir(): string;
  tmpdir(): string;
}

export function createFiles(node: NodeFunctions): SourceFiles {
  return {
    homeFolder: node.homedir(),
    join: (...parts) => node.join(...parts),
    isRoot: (path) => node.parse(path).root === path,
    realFolder: async (path) => {
      const found = await node.stat(path).catch(() => undefined);
      return found?.isDirectory() ? node.realpath(path) : undefined;
    },
    makeFolder: async (path) => void (await node.mkdir(path, { recursive: true })),
    makeTemporaryFolder: (prefix) => node.mkdtemp(node.join(node.tmpdir(), prefix)),
    remove: (folder) => node.rm(folder, { recursive: true, force: true, maxRetries: 3 }),
    writeText: (path, text) => node.writeFile(path, text),
    size: async (path) => (await node.stat(path)).size,
    copyWithTime: async (from, to) => {
      const original = await node.stat(from).catch(() => undefined);
      if (!original) return false;
      await node.copyFile(from, to);
      const second = Math.floor(original.mtimeMs / 1000);
      await node.utimes(to, second, second);
      return true;
    },
  };
}
