import type { NewEvent } from '../../shared/protocol/events.ts';
import type { Program, Report } from './decode.ts';
import { decodeSocketAddress } from './socket-address.ts';

/** Processes that one account remembers; the sandbox's own limit of processes is far below. */
const MAX_PROCESSES = 65_536;

interface Process {
  parent: number | undefined;
  /** The last component of its program's path; a child has its parent's until it executes something itself. */
  name: string;
  /** It has an event of its own, so that its end is of interest. Forks that execute nothing are not recorded. */
  recorded: boolean;
  /** An exec was reported and has not returned yet. */
  executing: boolean;
}

/** The kernel's account of one sandbox: gVisor's reports in, events out. */
export interface Account {
  record(report: Report): NewEvent[];
}

export function createAccount(): Account {
  const processes = new Map<number, Process>();
  let hiddenAlerted = false;

  /** A process that nobody forked was started from outside, by the engine's exec; gVisor reports no execve for it. */
  const known = (pid: number): Process => {
    const found = processes.get(pid);
    if (found) return found;
    const process: Process = { parent: undefined, name: '', recorded: false, executing: false };
    if (processes.size >= MAX_PROCESSES) processes.delete(processes.keys().next().value!);
    processes.set(pid, process);
    return process;
  };

  const executed = (pid: number, program: Program): NewEvent => {
    const process = known(pid);
    process.name = program.path.slice(program.path.lastIndexOf('/') + 1);
    process.recorded = true;
    const { path, argv, cwd, uid } = program;
    return {
      type: 'process.exec',
      actor: 'kernel',
      data: {
        pid,
        ...(process.parent === undefined ? {} : { parentPid: process.parent }),
        path,
        argv: [...argv],
        cwd,
        uid,
        ...(program.truncated ? { truncated: true } : {}),
      },
    };
  };

  const unreadable = (pid: number, uid: number): NewEvent[] => {
    const event = executed(pid, { path: UNREADABLE, argv: [], truncated: true, cwd: UNREADABLE, uid });
    if (hiddenAlerted) return [event];
    hiddenAlerted = true;
    return [event, alert('witness.unreadable-exec', `${HIDDEN} The first was process ${pid}.`)];
  };

  const handlers: { [K in Report['kind']]: (report: Extract<Report, { kind: K }>) => NewEvent[] } = {
    start: ({ pid, program }) => [executed(pid, program)],
    clone: ({ pid, child }) => {
      const { name } = known(pid);
      processes.delete(child);
      Object.assign(known(child), { parent: pid, name });
      return [];
    },
    exec: ({ pid, program }) => {
      known(pid).executing = true;
      return [executed(pid, program)];
    },
    'exec-returned': ({ pid, uid }) => {
      const process = known(pid);
      if (!process.executing) return unreadable(pid, uid);
      process.executing = false;
      return [];
    },
    exit: ({ pid, status }) => {
      const recorded = processes.get(pid)?.recorded === true;
      processes.delete(pid);
      return recorded ? [{ type: 'process.exit', actor: 'kernel', data: { pid, ...decodeStatus(status) } }] : [];
    },
    connect: ({ pid, address }) => {
      const target = decodeSocketAddress(address);
      if (!target || target.address === NAME_CACHE) return [];
      return [{ type: 'process.connect', actor: 'kernel', data: { pid, process: known(pid).name, ...target } }];
    },
  };
  return { record: (report) => (handlers[report.kind] as (report: Report) => NewEvent[])(report) };
}

/**
 * glibc asks a daemon that no sandbox has before every look-up of a user or a host: four connects for one `ls -l`. Its
 * folder is on the read-only root, so nothing can ever answer there.
 */
const NAME_CACHE = '/var/run/nscd/socket';

const UNREADABLE = '(unreadable)';
const HIDDEN =
  'A program was started whose path, arguments, environment or folder are not UTF-8: gVisor cannot report what it was.';

export function alert(rule: string, message: string): NewEvent {
  return { type: 'alert.raised', actor: 'kernel', data: { rule, message } };
}

/** wait(2): the low seven bits are the signal that ended the process, 0 for a normal end; above bit 8 is its exit code. */
function decodeStatus(status: number): { exitCode: number } | { signal: number } {
  const signal = status & 0x7f;
  return signal === 0 ? { exitCode: (status >> 8) & 0xff } : { signal };
}
