/**
 * What gVisor is asked to report (https://gvisor.dev/docs/user_guide/runtime_monitoring/). The session opens before the
 * sandbox's first process runs, and a sandbox whose sink does not listen is not created.
 *
 * A point or field name that gVisor does not know yields no session at all, and no error either: names are those of
 * `runsc trace metadata`. Fields that are not asked for are not collected, which is why `env` is absent here. The
 * environment of execve cannot be turned off; decode.ts drops it.
 */
const CONTEXT = ['time', 'container_id', 'group_id', 'process_name'] as const;

const POINTS = [
  { name: 'container/start', context_fields: [...CONTEXT, 'credentials', 'cwd'] },
  { name: 'sentry/clone', context_fields: CONTEXT },
  { name: 'sentry/execve', context_fields: [...CONTEXT, 'credentials', 'cwd'] },
  // Once per process, with the status that wait(2) reports. `sentry/task_exit` would come once per thread.
  { name: 'sentry/exit_notify_parent', context_fields: CONTEXT },
  { name: 'syscall/connect/enter', context_fields: CONTEXT },
] as const;

/** The content of a runtime's `--pod-init-config` file; `endpoint` is the path of the witness's socket. */
export function traceConfig(endpoint: string): object {
  return {
    trace_session: {
      name: 'Default',
      points: POINTS,
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
