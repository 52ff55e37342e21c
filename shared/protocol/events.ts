import * as z from 'zod';
import { RUN_STATES } from '../run/state.ts';

/**
 * Every kind of fact that a run's log can hold. Each schema here is the contract for one `data`; the types, the
 * server's checks and the documentation are inferred from it.
 */

/** Why a run did not succeed. Stable words for programs; the sentence for people stands beside it. */
export const runFailureCodes = [
  'source_failed',
  'setup_failed',
  'agent_unavailable',
  'agent_protocol',
  'agent_exited',
  'agent_refused',
  'sandbox_failed',
  'sandbox_died',
  'out_of_memory',
  'witness_lost',
  'log_unavailable',
  'log_limit',
  'result_failed',
  'engine_lost',
  'server_restarted',
  'time_limit',
  'canceled',
  'budget_exhausted',
  'internal',
] as const;
export const runFailureCode = z.enum(runFailureCodes);
export type RunFailureCode = z.infer<typeof runFailureCode>;

const state = z.enum(RUN_STATES);
const count = z.number().int().nonnegative();
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hexadecimal digits');

/** What the run started from. `files` and `dirty` are known once the source is inside the sandbox. */
export const sourceSummary = z.object({
  kind: z.enum(['none', 'git', 'upload']),
  url: z.string().optional(),
  ref: z.string().optional(),
  uploadId: z.string().optional(),
});

export const usage = z.object({
  /** Milliseconds of wall clock from `running` to the end, pauses left out. */
  wallMs: count,
  /** Milliseconds of CPU, over all cores, as the engine counted them for the sandbox. */
  cpuMs: count,
  /** Bytes out of and into the sandbox through the egress gateway. */
  egressSentBytes: count,
  egressReceivedBytes: count,
  inputTokens: count,
  outputTokens: count,
});
export type Usage = z.infer<typeof usage>;

export const patchSummary = z.object({
  files: count,
  insertions: count,
  deletions: count,
  bytes: count,
  sha256: sha256Hex,
  /** Paths that the patch touches, at most the first 500. */
  paths: z.array(z.string()),
});
export type PatchSummary = z.infer<typeof patchSummary>;

export const approvalOption = z.object({
  id: z.string(),
  name: z.string(),
  kind: z.enum(['allow_once', 'allow_always', 'reject_once', 'reject_always']),
});
export type ApprovalOption = z.infer<typeof approvalOption>;

/** One attempt to leave the sandbox: what was asked for, and which rule decided. */
const egressDecision = z.object({
  /** Unique in the run; `egress.closed` refers to it. */
  connection: z.string(),
  protocol: z.enum(['connect', 'http', 'model', 'git']),
  method: z.string().optional(),
  host: z.string(),
  port: z.number().int().min(0).max(65535),
  /** For plain HTTP, the path without its query, which may hold secrets. */
  path: z.string().optional(),
  /** The address that was checked and dialed. */
  address: z.string().optional(),
  rule: z.string(),
  reason: z.string(),
});

const stepName = z.enum(['source', 'setup', 'agent', 'result']);

export const eventData = {
  'run.created': z.object({
    prompt: z.string(),
    title: z.string(),
    agent: z.object({ id: z.string(), name: z.string() }),
    environment: z.object({ id: z.string(), name: z.string() }),
    source: sourceSummary,
    network: z.object({
      mode: z.enum(['none', 'allowlist', 'open']),
      groups: z.array(z.string()),
      patterns: z.array(z.string()),
    }),
    /** `name=cidr` pairs that the operator lets through to private addresses. */
    operatorExceptions: z.array(z.string()),
    approval: z.enum(['ask', 'auto']),
    interactive: z.boolean(),
    timeLimitSeconds: count,
    /** False only where the operator started the server with `--allow-unsandboxed`. */
    sandboxed: z.boolean(),
  }),
  'run.state': z.object({
    from: state,
    to: state,
    waitingFor: z.enum(['input', 'approval']).optional(),
    failure: z.object({ code: runFailureCode, message: z.string() }).optional(),
  }),
  'run.message': z.object({ text: z.string() }),
  'run.result': z.object({
    patch: patchSummary.nullable(),
    /** The commits that the agent made on top of the base, newest first, at most 100. */
    commits: z.array(z.object({ id: z.string(), subject: z.string() })),
    bundle: z.object({ bytes: count, sha256: sha256Hex }).nullable(),
    base: z.string().nullable(),
    branch: z.string().nullable(),
    usage,
  }),

  'sandbox.creating': z.object({
    image: z.string(),
    runtime: z.string(),
    cpus: z.number(),
    memoryMiB: count,
    diskMiB: count,
    maxProcesses: count,
  }),
  'sandbox.ready': z.object({
    sandboxId: z.string(),
    runtime: z.string(),
    /** What the sandbox's own kernel says it is; gVisor proves itself here. */
    kernel: z.string(),
    coldStartMs: count,
  }),
  'sandbox.step': z.object({
    step: stepName,
    phase: z.enum(['started', 'finished']),
    exitCode: z.number().int().optional(),
    ms: count.optional(),
  }),
  'sandbox.output': z.object({ step: stepName, stream: z.enum(['stdout', 'stderr']), text: z.string() }),
  'sandbox.exited': z.object({ exitCode: z.number().int().nullable(), outOfMemory: z.boolean(), reason: z.string() }),
  'sandbox.destroyed': z.object({
    /** True where the thing was looked for afterwards and was not there. */
    absent: z.object({ container: z.boolean(), mount: z.boolean(), loopDevice: z.boolean(), socket: z.boolean() }),
    ms: count,
  }),

  'git.ready': z.object({ base: z.string(), branch: z.string(), files: count }),

  'agent.started': z.object({ name: z.string(), version: z.string().optional(), protocol: z.string() }),
  'agent.message': z.object({ text: z.string() }),
  'agent.thought': z.object({ text: z.string() }),
  'agent.plan': z.object({
    entries: z.array(z.object({ content: z.string(), status: z.string(), priority: z.string() })),
  }),
  'agent.tool_call': z.object({
    id: z.string(),
    title: z.string(),
    kind: z.string(),
    status: z.string(),
    input: z.unknown().optional(),
    paths: z.array(z.string()),
  }),
  'agent.tool_result': z.object({
    id: z.string(),
    status: z.string(),
    title: z.string().optional(),
    text: z.string(),
    input: z.unknown().optional(),
  }),
  'agent.usage': z.object({ inputTokens: count, outputTokens: count }),
  'agent.stderr': z.object({ text: z.string() }),
  'agent.turn_ended': z.object({ reason: z.string(), exitCode: z.number().int().optional() }),

  'egress.allowed': egressDecision,
  'egress.denied': egressDecision,
  'egress.closed': z.object({
    connection: z.string(),
    sentBytes: count,
    receivedBytes: count,
    ms: count,
    /** Set when the connection was let through and then failed or was cut. */
    error: z.string().optional(),
  }),

  'process.exec': z.object({
    pid: count,
    parentPid: count.optional(),
    path: z.string(),
    argv: z.array(z.string()),
    /** True when `argv` was cut to fit the limit of 32 arguments of 512 characters. */
    truncated: z.boolean().optional(),
    cwd: z.string(),
    uid: count,
    sha256: sha256Hex.optional(),
  }),
  'process.exit': z.object({ pid: count, exitCode: z.number().int().optional(), signal: z.number().int().optional() }),
  'process.connect': z.object({
    pid: count,
    process: z.string(),
    family: z.string(),
    address: z.string(),
    port: z.number().int().optional(),
  }),

  'approval.requested': z.object({
    approvalId: z.string(),
    toolCallId: z.string(),
    title: z.string(),
    kind: z.string(),
    input: z.unknown().optional(),
    options: z.array(approvalOption),
  }),
  'approval.resolved': z.object({
    approvalId: z.string(),
    outcome: z.enum(['allowed', 'rejected', 'canceled']),
    optionId: z.string().nullable(),
    /** `auto` is the environment's approval mode; anything else is whoever answered. */
    by: z.string(),
  }),

  /** A person opened a shell in the sandbox; what is done in it is in the kernel's account. */
  'terminal.opened': z.object({ terminalId: z.string() }),
  'terminal.closed': z.object({ terminalId: z.string(), exitCode: z.number().int().nullable(), ms: count }),

  'alert.raised': z.object({ rule: z.string(), message: z.string() }),
  error: z.object({ code: z.string(), message: z.string() }),
} as const satisfies Record<string, z.ZodType>;

export type EventType = keyof typeof eventData;
export const eventTypes = Object.keys(eventData) as [EventType, ...EventType[]];
export type EventData<T extends EventType> = z.infer<(typeof eventData)[T]>;

/** Who says so: the server, the agent (a claim), gVisor's kernel, the egress gateway, or a person by key. */
export const actor = z.string().regex(/^(server|agent|kernel|gateway|key:[a-z0-9_]+)$/, 'is not an actor');
export type Actor = 'server' | 'agent' | 'kernel' | 'gateway' | `key:${string}`;

/** A fact that is not in the log yet: it has no place (`seq`), no time and no hash. */
export type NewEvent = { [T in EventType]: { type: T; actor: Actor; data: EventData<T> } }[EventType];

/** The place of an event in its run, and what makes it verifiable (see shared/audit/chain.ts). */
export const eventEnvelope = z.object({
  runId: z.string(),
  /** From 1, without gaps. */
  seq: z.number().int().positive(),
  /** RFC 3339, UTC, milliseconds. */
  at: z.iso.datetime(),
  type: z.string(),
  actor,
  data: z.unknown(),
  /** 16 random bytes, hex: the commitment in the chain is SHA-256(nonce ‖ JCS(data)). */
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  /** The run chain's hash at this event, hex. */
  hash: sha256Hex,
});
type Envelope = Omit<z.infer<typeof eventEnvelope>, 'type' | 'data' | 'actor'> & { actor: Actor };

export type RunEvent = { [T in EventType]: Envelope & { type: T; data: EventData<T> } }[EventType];
export type EventOf<T extends EventType> = Extract<RunEvent, { type: T }>;

/** An event of a type that this version does not know: it is kept and shown, never dropped. */
export type UnknownEvent = Envelope & { type: `unknown:${string}`; data: unknown };

export function isEventType(type: string): type is EventType {
  return Object.hasOwn(eventData, type);
}

/**
 * Parses an event that came over a boundary. A type newer than this program is not an error; data that does not fit
 * its own type is.
 * @throws {z.ZodError} when the envelope or the data of a known type is malformed
 */
export function parseEvent(input: unknown): RunEvent | UnknownEvent {
  const envelope = eventEnvelope.parse(input);
  if (!isEventType(envelope.type)) return { ...envelope, type: `unknown:${envelope.type}` } as UnknownEvent;
  return { ...envelope, data: eventData[envelope.type].parse(envelope.data) } as RunEvent;
}
