import type { Actor } from '../../shared/protocol/events.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import type { RunLog } from './run-log.ts';

export interface TerminalOrder {
  readonly terminalId: string;
  readonly by: Actor;
  readonly size: { readonly columns: number; readonly rows: number };
  /** Aborts when the person has gone. */
  readonly signal: AbortSignal;
}

/** Every process of a terminal inherits this variable, which is how the ones that it leaves behind are found. */
const MARK = 'CAISSON_TERMINAL';
const HANG_UP = `for process in /proc/[0-9]*; do
  grep -qsz "^${MARK}=$1\\$" "$process/environ" && kill -HUP "\${process#/proc/}"
done
exit 0`;

/**
 * A shell for a person, as the agent's user. That it was opened is in the log before it starts; what is done in it is in
 * the kernel's account, since the shell is started by `env` (see steps.ts). It ends with the run.
 */
export async function openTerminal(
  sandbox: Sandbox,
  log: RunLog,
  ended: AbortSignal,
  order: TerminalOrder,
): Promise<SandboxProcess> {
  if (ended.aborted) throw new CaissonError('conflict', 'The run is ending.');
  if (log.state === 'paused') throw new CaissonError('conflict', 'The run is paused; resume it first.');
  const { terminalId, by, size } = order;
  await log.emit({ type: 'terminal.opened', actor: by, data: { terminalId } });
  const startedAt = performance.now();
  const shell = await sandbox.exec(['/usr/bin/env', '--', 'bash', '--login'], {
    tty: size,
    env: { TERM: 'xterm-256color', [MARK]: terminalId },
    signal: AbortSignal.any([ended, order.signal]),
  });
  const closed = async (exitCode: number | null) => {
    const ms = Math.round(performance.now() - startedAt);
    await log.emit({ type: 'terminal.closed', actor: by, data: { terminalId, exitCode, ms } });
    if (exitCode === null && !ended.aborted) await hangUp(sandbox, terminalId);
  };
  // The exit rejects when the person or the sandbox has gone. A log that refuses the event has already ended the run,
  // and what a hang-up does not reach ends with the run.
  void shell.exit.then(closed, () => closed(null)).catch(() => undefined);
  return shell;
}

/** What a terminal does when its line is cut; the engine leaves an exec running when its streams end. */
async function hangUp(sandbox: Sandbox, terminalId: string): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  const process = await sandbox.exec(['/bin/sh', '-c', HANG_UP, 'hang-up', terminalId], { signal });
  process.stdin.end();
  process.stdout.resume();
  process.stderr.resume();
  await process.exit;
}
