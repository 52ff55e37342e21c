import type Docker from 'dockerode';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { withDeadline } from '../../base/lifecycle.ts';
import {
  AGENT_UID,
  type Absence,
  type ExecOptions,
  type Sandbox,
  type SandboxExit,
  type SandboxProcess,
  type SandboxStats,
} from '../sandbox.ts';
import { startProcess, type ExecTarget } from './exec.ts';
import { releaseSandbox, type Remains } from './release.ts';

const CONTROL_DEADLINE_MS = 15_000;

/**
 * Becomes the agent's user and kills all that this user may signal; kill(2) leaves out the caller. Three times, for what
 * was being forked meanwhile. It starts with privileges, inside gVisor and from the read-only image, because an exec as
 * the agent's user is refused exactly when it is needed most: at the user's process limit (RLIMIT_NPROC).
 */
const KILL_AGENT = [
  'setpriv',
  `--reuid=${AGENT_UID}`,
  `--regid=${AGENT_UID}`,
  '--clear-groups',
  '--bounding-set=-all',
  '--',
  '/bin/sh',
  '-c',
  'kill -9 -1; kill -9 -1; kill -9 -1; exit 0',
];

export interface SandboxParts extends ExecTarget {
  readonly docker: Docker;
  readonly runId: string;
  readonly kernel: string;
  readonly coldStartMs: number;
  readonly remains: Remains;
  /** Called as soon as destruction begins, so that the exit is known to be ours. */
  readonly onDestroy: () => void;
}

export class GvisorSandbox implements Sandbox {
  readonly id: string;
  readonly runId: string;
  readonly kernel: string;
  readonly coldStartMs: number;
  readonly exited: Promise<SandboxExit>;
  readonly #parts: SandboxParts;
  #destroyed: Promise<Absence> | undefined;

  constructor(parts: SandboxParts) {
    this.#parts = parts;
    this.id = parts.container.id;
    this.runId = parts.runId;
    this.kernel = parts.kernel;
    this.coldStartMs = parts.coldStartMs;
    this.exited = parts.exited;
  }

  exec(argv: readonly string[], options: ExecOptions = {}): Promise<SandboxProcess> {
    return startProcess(this.#parts, argv, options);
  }

  async killAll(): Promise<void> {
    const root = { user: '0:0', privileged: true };
    const process = await startProcess(this.#parts, KILL_AGENT, { cwd: '/' }, root);
    process.stdin.end();
    process.stdout.resume();
    process.stderr.resume();
    const exitCode = await withDeadline(process.exit, CONTROL_DEADLINE_MS, 'Ending the processes of a sandbox');
    if (exitCode !== 0) {
      throw new CaissonError(
        'sandbox_unavailable',
        `The processes of the sandbox could not be ended (exit code ${exitCode}).`,
      );
    }
  }

  async pause(): Promise<void> {
    await withDeadline(this.#parts.container.pause() as Promise<unknown>, CONTROL_DEADLINE_MS, 'Pausing the sandbox');
  }

  async resume(): Promise<void> {
    await withDeadline(
      this.#parts.container.unpause() as Promise<unknown>,
      CONTROL_DEADLINE_MS,
      'Resuming the sandbox',
    );
  }

  async stats(): Promise<SandboxStats> {
    // One-shot: the engine otherwise takes a second sample a second later, to compute a rate that nobody asks for.
    const stats = await withDeadline(
      this.#parts.container.stats({ stream: false, 'one-shot': true }),
      CONTROL_DEADLINE_MS,
      'Measuring the sandbox',
    );
    return {
      cpuMs: Math.round((stats.cpu_stats.cpu_usage?.total_usage ?? 0) / 1e6),
      memoryBytes: stats.memory_stats.usage ?? 0,
      processes: stats.pids_stats?.current ?? 0,
    };
  }

  destroy(): Promise<Absence> {
    // A first try may have left something, where the engine was down say: then the next call tries again.
    this.#destroyed ??= this.#release();
    return this.#destroyed;
  }

  async #release(): Promise<Absence> {
    this.#parts.onDestroy();
    const absence = await releaseSandbox(this.#parts.docker, this.#parts.remains);
    if (!Object.values(absence).every(Boolean)) this.#destroyed = undefined;
    return absence;
  }
}
