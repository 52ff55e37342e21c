import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withDeadline } from '../../server/base/lifecycle.ts';
import { TEST_RUNTIME } from './sandboxed.ts';

const PROGRAM = fileURLToPath(new URL('../../server/cli/bootstrap.mjs', import.meta.url));
const START_DEADLINE_MS = 60_000;
const END_DEADLINE_MS = 100_000;

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as NDJSON. */
  readonly lines: readonly Record<string, unknown>[];
}

export interface Started {
  readonly process: ChildProcess;
  readonly exited: Promise<Finished>;
  /** Resolves when what was printed so far, on either stream, matches. */
  printed(pattern: RegExp): Promise<RegExpExecArray>;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: string;
}

/** A person's account on this machine: a home of its own, and `caisson` as they run it. */
export interface Account extends AsyncDisposable {
  readonly home: string;
  start(args: readonly string[], options?: StartOptions): Started;
  caisson(args: readonly string[], options?: StartOptions): Promise<Finished>;
}

export async function openAccount(): Promise<Account> {
  const home = await mkdtemp(join(tmpdir(), 'csn-home-'));
  const running = new Set<Started>();
  const start = (args: readonly string[], options: StartOptions = {}): Started => {
    const started = launch(args, { HOME: home, ...options.env }, options.cwd ?? home, options.stdin);
    running.add(started);
    void started.exited.then(() => running.delete(started));
    return started;
  };
  return {
    home,
    start,
    caisson: (args, options) => start(args, options).exited,
    async [Symbol.asyncDispose]() {
      for (const { process } of running) process.kill('SIGKILL');
      await rm(home, { recursive: true, force: true });
    },
  };
}

function launch(args: readonly string[], env: NodeJS.ProcessEnv, cwd: string, stdin: string | undefined): Started {
  // Nothing of the tests' own settings, which could stand in for what a user has to give.
  const { PATH, LANG } = process.env;
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    cwd,
    env: { PATH, LANG, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A program that reads nothing closes its end; that is no error of the test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  let stdout = '';
  let stderr = '';
  const looking = new Set<() => void>();
  const look = () => looking.forEach((again) => again());
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    look();
  });
  const ended = new Promise<Finished>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr, lines: [] }));
  }).then((finished) => ({
    ...finished,
    get lines() {
      return finished.stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    },
  }));
  const exited = withDeadline(ended, END_DEADLINE_MS, `caisson ${args.join(' ')}`);
  exited.catch(() => child.kill('SIGKILL'));

  const printed = (pattern: RegExp): Promise<RegExpExecArray> => {
    let again: () => void;
    const found = new Promise<RegExpExecArray>((resolve, reject) => {
      again = () => {
        const match = pattern.exec(stdout) ?? pattern.exec(stderr);
        if (match) resolve(match);
      };
      looking.add(again);
      again();
      void ended.then(({ code }) => {
        reject(
          new Error(`caisson ${args.join(' ')} ended with ${code} and never printed ${pattern}:\n${stdout}\n${stderr}`),
        );
      });
    });
    return withDeadline(found, START_DEADLINE_MS, `Printing ${pattern}`).finally(() => looking.delete(again));
  };
  return { process: child, exited, printed };
}

export interface ServeProcess extends Started {
  readonly url: string;
  /** SIGTERM, and what came of it. */
  stop(): Promise<Finished>;
}

/** `caisson serve` as a process of its own. The port is free, or the one that is given. */
export async function serve(
  account: Account,
  { dataDir, port = 0, env = {} }: { dataDir?: string; port?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<ServeProcess> {
  const started = account.start(['serve'], {
    env: {
      CAISSON_PORT: String(port),
      CAISSON_RUNTIME: TEST_RUNTIME,
      CAISSON_LOG_LEVEL: 'warn',
      CAISSON_RATE_LIMIT_RUNS: '100000',
      ...(dataDir === undefined ? {} : { CAISSON_DATA_DIR: dataDir }),
      ...env,
    },
  });
  const [, url] = await started.printed(/Caisson listens on (\S+)\n/);
  return {
    ...started,
    url: url!,
    stop: () => {
      started.process.kill('SIGTERM');
      return started.exited;
    },
  };
}
