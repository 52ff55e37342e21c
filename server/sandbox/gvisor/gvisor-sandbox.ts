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
const KILL_TRIES = 3;

/**
 * Becomes the agent's user and signals all that this user may signal; kill(2) leaves out the caller. First everything is
 * stopped, several times over: what is stopped keeps its place under the process limit, so a fork bomb runs out of
 * places, where killing alone would make room for its next generation. Then everything is killed, and looked for:
 * `[ -O file ]` is true for what this user owns, which is this shell itself and whatever has survived.
 *
 * It starts with privileges, inside gVisor and from the read-only image, because an exec as the agent's user is refused
 * exactly when it is needed most: at the user's process limit (RLIMIT_NPROC).
 */
const KILL_SCRIPT = `
round=0
while [ $round -lt 50 ]; do
  round=$((round + 1))
  for _ in 1 2 3 4 5 6 7 8; do kill -STOP -1; done
  kill -KILL -1
  left=0
  for process in /proc/[0-9]*; do [ -O "$process" ] && left=$((left + 1)); done
  [ $left -le 1 ] && exit 0
done
exit 3`;
const KILL_AGENT = [
  'setpriv',
  `--reuid=${AGENT_UID}`,
  `--regid=${AGENT_UID}`,
  '--clear-groups',
  '--bounding-set=-all',
  '--',
  '/bin/sh',
  '-c',
  KILL_SCRIPT,
];

export interface SandboxParts extends ExecTarget {
  readonly docker: Docker;
  readonly runId: string;
  readonly kernel: string;
  /** False only where the operator allowed sandboxes that are none. */
  readonly gvisor: boolean;
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
    // A process of the agent's may kill the killer: then another one is sent.
    for (let attempt = 1; ; attempt++) {
      const exitCode = await withDeadline(this.#killOnce(), CONTROL_DEADLINE_MS, 'Ending the processes of a sandbox');
      if (exitCode === 0) return;
      if (attempt === KILL_TRIES) {
        throw new CaissonError(
          'sandbox_unavailable',
          `The processes of the sandbox could not be ended (exit code ${exitCode}).`,
        );
      }
    }
  }

  async #killOnce(): Promise<number> {
    // Privileges are gVisor's to give: without it they would be the host's own.
    const process = this.#parts.gvisor
      ? await startProcess(this.#parts, KILL_AGENT, { cwd: '/' }, { user: '0:0', privileged: true })
      : await startProcess(this.#parts, ['/bin/sh', '-c', KILL_SCRIPT], { cwd: '/' });
    process.stdin.end();
    process.stdout.resume();
    process.stderr.resume();
    return process.exit;
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
