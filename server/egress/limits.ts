/** Bounds of one run's gateway. Times are milliseconds. */
export interface EgressLimits {
  /** Connections from the sandbox at the same time. */
  readonly maxConnections: number;
  readonly maxHeaderBytes: number;
  /** Until a request's headers are complete. */
  readonly headersTimeoutMs: number;
  /** Until a tunnel's opening bytes are complete, and how many of them are looked at. */
  readonly peekTimeoutMs: number;
  readonly maxHelloBytes: number;
  readonly resolveTimeoutMs: number;
  readonly dialTimeoutMs: number;
  /** A log that takes longer than this to make a decision durable counts as unavailable. */
  readonly recordTimeoutMs: number;
  /** Without a byte in either direction. Tunnels carry SSH sessions and long polls; models think in silence. */
  readonly tunnelIdleMs: number;
  readonly httpIdleMs: number;
  readonly modelIdleMs: number;
  /** Requests that one connection may have sent ahead of their answers. */
  readonly maxPipelined: number;
  /** After this many denials in a run each further one is answered late (see ledger.ts). */
  readonly freeDenials: number;
  readonly denialDelayMs: number;
  /** How often at most refused surplus connections are summed up in an event. */
  readonly surplusReportMs: number;
  /** How long `close()` waits for the last events. */
  readonly closeTimeoutMs: number;
}

export const DEFAULT_LIMITS: EgressLimits = {
  maxConnections: 256,
  maxHeaderBytes: 32 * 1024,
  headersTimeoutMs: 10_000,
  peekTimeoutMs: 10_000,
  maxHelloBytes: 32 * 1024,
  resolveTimeoutMs: 5_000,
  dialTimeoutMs: 10_000,
  recordTimeoutMs: 30_000,
  tunnelIdleMs: 3_600_000,
  httpIdleMs: 300_000,
  modelIdleMs: 900_000,
  maxPipelined: 16,
  freeDenials: 1_000,
  denialDelayMs: 2_000,
  surplusReportMs: 10_000,
  closeTimeoutMs: 5_000,
};
