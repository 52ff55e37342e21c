/**
 * What gVisor is asked to report (https://gvisor.dev/docs/user_guide/runtime_monitoring/). The session opens before the
 * sandbox's first process runs, and a sandbox whose sink does not listen is not created.
 *
 * A point or field name that gVisor does not know yields no session at all, and no error either: names are those of
 * `runsc trace metadata`. The environment of execve cannot be turned off; decode.ts never reads it.
 *
 * A report that holds a string which is not UTF-8 cannot be marshalled, and gVisor then drops it without counting it
 * (pkg/sentry/seccheck/sinks/remote/remote.go). A process chooses its own name, so `process_name` is asked for nowhere:
 * with it, prctl(PR_SET_NAME, "\xff") made every later report of that process disappear. For execve the strings
 * are the point, so the bare system call is reported as well, without any string: it gives a hidden exec away.
 */
const PROCESS = ['container_id', 'group_id'] as const;

/** execve and execveat, by Node's name of the architecture. */
const EXEC_SYSCALLS: Readonly<Record<string, readonly [number, number]>> = { x64: [59, 322], arm64: [221, 281] };

/** The system calls that replace a process's program, on this machine. */
export function execSyscalls(arch: string = process.arch): readonly number[] {
  const numbers = EXEC_SYSCALLS[arch];
  if (!numbers) throw new Error(`gVisor runs on x64 and arm64, not on ${arch}.`);
  return numbers;
}

/** The content of a runtime's `--pod-init-config` file; `endpoint` is the path of the witness's socket. */
export function traceConfig(endpoint: string, arch: string = process.arch): object {
  return {
    trace_session: {
      name: 'Default',
      points: [
        { name: 'container/start', context_fields: [...PROCESS, 'credentials', 'cwd'] },
        { name: 'sentry/clone', context_fields: PROCESS },
        { name: 'sentry/execve', context_fields: [...PROCESS, 'credentials', 'cwd'] },
        // gVisor 2024-07 fills the context of `exit` with the fields that were asked for on `enter`.
        ...execSyscalls(arch).flatMap((number) =>
          ['enter', 'exit'].map((side) => ({
            name: `syscall/sysno/${number}/${side}`,
            context_fields: [...PROCESS, 'credentials'],
          })),
        ),
        // Once per process, with the status that wait(2) reports. `sentry/task_exit` would come once per thread.
        { name: 'sentry/exit_notify_parent', context_fields: PROCESS },
        // The address as it was when the call began; a process with threads can change it while the kernel reads it
        // again. That deceives the account, not the sandbox: there is no network to reach.
        { name: 'syscall/connect/enter', context_fields: PROCESS },
      ],
      sinks: [
        {
          name: 'remote',
          // A report that finds the socket full is tried again: 100 times up to 10 ms apart. A sink that is busy for
          // less than about a second slows the sandbox down instead of losing what it did; losses beyond that are
          // counted in the header of every later report.
          config: { endpoint, retries: 100, backoff: '100us', backoff_max: '10ms' },
          ignore_setup_error: false,
        },
      ],
    },
  };
}
