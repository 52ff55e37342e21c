import { pino, type Logger } from 'pino';

export type { Logger };

/** Field names whose values are never written, whatever object they arrive in. */
const SECRET_FIELDS = [
  'authorization',
  'cookie',
  'key',
  'apiKey',
  'token',
  'ticket',
  'secret',
  'value',
  'password',
  'env',
  'environ',
];

/** The server's log: JSON lines on stderr. Events belong to the event log, not here. */
export function createLogger(level: string): Logger {
  const paths = SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level, redact: { paths, censor: '[redacted]' }, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
}
