import { RELAY_PORT } from '../environment.ts';

/**
 * PID 1: `tini` reaps what the agent orphans, `socat` forwards the loopback port to the egress socket, one child per
 * connection.
 *
 * - The shell says which kernel it runs on before anything else happens; no further process is needed for that.
 * - `-d -d` makes socat say that it listens, so that nobody uses the way out before it is there.
 * - `-b 262144`: three times the throughput of socat's default buffer.
 * - `-t 300`: after one side has ended its half of a connection, the other may still talk for so long. The default of
 *   half a second cuts off answers to requests that end with a half-close.
 */
export const RELAY_COMMAND: readonly string[] = [
  '/bin/sh',
  '-c',
  'read -r kernel </proc/version; echo "$kernel"; exec "$@"',
  'relay',
  'tini',
  '-s',
  '--',
  'socat',
  '-d',
  '-d',
  '-b',
  '262144',
  '-t',
  '300',
  `TCP-LISTEN:${RELAY_PORT},bind=127.0.0.1,fork,reuseaddr,backlog=128`,
  'UNIX-CONNECT:/run/caisson/egress.sock',
];

/** What the relay has said so far, read from PID 1's output. */
export interface RelayReport {
  readonly kernel: string | undefined;
  readonly listening: boolean;
}

export function readRelayReport(output: string): RelayReport {
  const line = /^(.*)\n/.exec(output)?.[1];
  return { kernel: line, listening: / listening on /.test(output) };
}
