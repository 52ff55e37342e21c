import * as z from 'zod';
import { RUN_STATES } from '../run/state.ts';
import { eventEnvelope, patchSummary, runFailureCode, sourceSummary, usage } from './events.ts';

/** Requests and responses of the HTTP API. The server validates with these, the client is typed by them, and
 *  `/v1/openapi.json` is generated from them. Inputs are strict: a misspelt field would otherwise be ignored, and the
 *  run be another one than was meant. Outputs are not: a client ignores what it does not know yet. */

/** Text that a person typed: any language, line breaks and tabs, but no other control characters (they could hide
 *  what is run from the one who reviews it, or drive a terminal). */
const isPlain = (text: string) =>
  !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(text);
const plainText = (max: number) =>
  z.string().max(max).refine(isPlain, 'must not contain control or bidirectional override characters');

const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/, 'must be 1 to 40 of a-z, 0-9 and inner hyphens');
const timestamp = z.iso.datetime();
const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'is not a variable name');

export const id = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}_[0-9a-z]{26}$`), `is not a ${prefix}_ id`);
export const runId = id('run');
export const uploadId = id('upl');

/** Each field of a shape as it is without its default. */
function withoutDefaults<S extends Record<string, z.ZodDefault>>(
  shape: S,
): { [K in keyof S]: ReturnType<S[K]['unwrap']> } {
  const entries = Object.entries(shape).map(([name, field]) => [name, field.unwrap()]);
  return Object.fromEntries(entries) as { [K in keyof S]: ReturnType<S[K]['unwrap']> };
}

export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), nextCursor: z.string().optional() });
export const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(200).optional(),
});

// --- environments -------------------------------------------------------------------------------------------------

export const networkPolicy = z.strictObject({
  mode: z.enum(['none', 'allowlist', 'open']).default('allowlist'),
  groups: z.array(z.enum(['git', 'models', 'packages'])).default(['git', 'models', 'packages']),
  patterns: z.array(z.string().min(1).max(260)).max(20).default([]),
  /** Lets through CONNECT tunnels that carry something other than TLS with a matching name. */
  allowNonTls: z.boolean().default(false),
});
export type NetworkPolicy = z.infer<typeof networkPolicy>;

export const resources = z.strictObject({
  cpus: z.number().min(0.25).max(64).default(2),
  memoryMiB: z.number().int().min(128).max(262_144).default(2048),
  diskMiB: z.number().int().min(64).max(1_048_576).default(5120),
  maxProcesses: z.number().int().min(16).max(8192).default(1024),
});
export type Resources = z.infer<typeof resources>;

export const environmentInput = z.strictObject({
  name: slug,
  description: plainText(500).default(''),
  image: z
    .string()
    .max(200)
    .regex(/^[a-z0-9][a-z0-9._/:@-]*$/, 'is not an image name')
    .default('caisson/sandbox'),
  resources: resources.prefault({}),
  network: networkPolicy.prefault({}),
  variables: z.record(variableName, z.string().max(10_000)).default({}),
  setupScript: z.string().max(100_000).default(''),
  /** Seconds of wall clock that a run may take, pauses left out. */
  timeLimitSeconds: z.number().int().min(1).max(86_400).default(3600),
  /** Seconds that an interactive run waits for a person before it ends by itself. */
  idleLimitSeconds: z.number().int().min(1).max(86_400).default(900),
  approval: z.enum(['ask', 'auto']).default('auto'),
});
export type EnvironmentInput = z.infer<typeof environmentInput>;
/** A PATCH names only what it changes, at both levels, so no default may fill in the rest. */
export const environmentPatch = z.strictObject({
  name: slug.optional(),
  description: plainText(500).optional(),
  image: environmentInput.shape.image.unwrap().optional(),
  resources: z.strictObject(withoutDefaults(resources.shape)).partial().optional(),
  network: z.strictObject(withoutDefaults(networkPolicy.shape)).partial().optional(),
  variables: z.record(variableName, z.string().max(10_000)).optional(),
  setupScript: z.string().max(100_000).optional(),
  timeLimitSeconds: environmentInput.shape.timeLimitSeconds.unwrap().optional(),
  idleLimitSeconds: environmentInput.shape.idleLimitSeconds.unwrap().optional(),
  approval: z.enum(['ask', 'auto']).optional(),
});

export const environment = z.object({
  ...environmentInput.shape,
  resources: z.object(resources.shape),
  network: z.object(networkPolicy.shape),
  id: id('env'),
  /** Secrets are write-only: only their names come back. The setup script sees the values, the agent does not. */
  secretNames: z.array(z.string()),
  createdAt: timestamp,
  updatedAt: timestamp,
});
export type Environment = z.infer<typeof environment>;

export const secretName = variableName;
export const secretInput = z.strictObject({ value: z.string().min(1).max(32_768) });

// --- agents -------------------------------------------------------------------------------------------------------

export const agentInput = z.strictObject({
  name: slug,
  description: plainText(500).default(''),
  /** The ACP command inside the sandbox: a program and its arguments. */
  command: z.array(z.string().min(1).max(1000)).min(1).max(50),
  /** The provider whose base URL and placeholder key the agent is given; none for an agent without a model. */
  provider: z.enum(['anthropic', 'openai', 'google']).optional(),
  model: z.string().max(200).optional(),
  instructions: plainText(50_000).default(''),
  variables: z.record(variableName, z.string().max(10_000)).default({}),
});
export type AgentInput = z.infer<typeof agentInput>;
export const agentPatch = z.strictObject({
  description: plainText(500).optional(),
  command: agentInput.shape.command.optional(),
  provider: z.enum(['anthropic', 'openai', 'google']).optional(),
  model: z.string().max(200).optional(),
  instructions: plainText(50_000).optional(),
  variables: z.record(variableName, z.string().max(10_000)).optional(),
});

export const agent = z.object({
  id: z.string(),
  name: slug,
  description: z.string(),
  kind: z.enum(['shell', 'acp']),
  builtIn: z.boolean(),
  /** True when everything that the agent needs is installed on the server. */
  available: z.boolean(),
  command: z.array(z.string()),
  provider: z.enum(['anthropic', 'openai', 'google']).optional(),
  model: z.string().optional(),
  instructions: z.string(),
  variables: z.record(z.string(), z.string()),
});
export type Agent = z.infer<typeof agent>;

// --- runs ---------------------------------------------------------------------------------------------------------

export const sourceInput = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('git'),
    /** https://host/path or ssh://git@host/path; never with credentials, never a path on the server. */
    url: z.string().max(2000),
    ref: z
      .string()
      .max(250)
      .regex(/^(?!-)[\w./@+-]+$/, 'is not a branch, tag or commit')
      .optional(),
  }),
  z.strictObject({ kind: z.literal('upload'), uploadId }),
]);
export type SourceInput = z.infer<typeof sourceInput>;

export const runInput = z.strictObject({
  prompt: plainText(100_000).refine((text) => text.trim() !== '', 'must not be empty'),
  title: plainText(200).optional(),
  /** By id or by name. */
  environment: z.string().max(100).default('default'),
  agent: z.string().max(100).default('shell'),
  source: sourceInput.default({ kind: 'none' }),
  /** True: after each turn the run waits for a follow-up message, until `finish` or the idle limit. */
  interactive: z.boolean().default(false),
});
export type RunInput = z.input<typeof runInput>;

export const run = z.object({
  id: runId,
  title: z.string(),
  prompt: z.string(),
  state: z.enum(RUN_STATES),
  waitingFor: z.enum(['input', 'approval']).optional(),
  failure: z.object({ code: runFailureCode, message: z.string() }).optional(),
  agent: z.object({ id: z.string(), name: z.string() }),
  environment: z.object({ id: z.string(), name: z.string() }),
  source: sourceSummary,
  createdBy: z.object({ memberId: z.string(), keyId: z.string() }),
  createdAt: timestamp,
  startedAt: timestamp.optional(),
  endedAt: timestamp.optional(),
  lastSeq: z.number().int().nonnegative(),
  sandboxed: z.boolean(),
  interactive: z.boolean(),
  pendingApprovals: z.array(z.string()),
  egress: z.object({ allowed: z.number().int(), denied: z.number().int() }),
  processes: z.number().int(),
  usage: usage.optional(),
  patch: patchSummary.nullable().optional(),
  branch: z.string().nullable().optional(),
  base: z.string().nullable().optional(),
});
export type Run = z.infer<typeof run>;

export const runListQuery = listQuery.extend({
  /** Comma-separated states. */
  state: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(RUN_STATES)))
    .optional(),
  environment: z.string().max(100).optional(),
  member: z.string().max(100).optional(),
  from: timestamp.optional(),
  to: timestamp.optional(),
  text: z.string().max(200).optional(),
});
export type RunListQuery = z.input<typeof runListQuery>;

export const messageInput = z.strictObject({
  text: plainText(100_000).refine((text) => text.trim() !== '', 'must not be empty'),
});
export const approvalInput = z.union(
  [z.strictObject({ optionId: z.string().min(1).max(200) }), z.strictObject({ decision: z.enum(['allow', 'reject']) })],
  { error: 'must be either { "optionId": … } or { "decision": "allow" | "reject" }' },
);
export type ApprovalInput = z.infer<typeof approvalInput>;

export const eventsQuery = z.strictObject({
  after: z.coerce.number().int().nonnegative().default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(200),
  /** Comma-separated event types or families (`egress.*`). */
  type: z.string().max(500).optional(),
});
export const eventsPage = z.object({ items: z.array(eventEnvelope), nextAfter: z.number().int().optional() });

/** Enough to verify a run's chain without the data: what was committed to, in order, and the signed head. */
export const runProof = z.object({
  runId,
  entries: z.array(
    z.object({
      seq: z.number().int(),
      at: timestamp,
      type: z.string(),
      actor: z.string(),
      commitment: z.string(),
      hash: z.string(),
    }),
  ),
  head: z.object({ seq: z.number().int(), hash: z.string() }),
  /** A C2SP signed note over the head; its key is the server's audit key. Absent while the run goes on. */
  note: z.string().optional(),
  publicKey: z.string(),
});
export type RunProof = z.infer<typeof runProof>;

// --- uploads, keys, identity ----------------------------------------------------------------------------------------

export const upload = z.object({
  id: uploadId,
  bytes: z.number().int(),
  sha256: z.string(),
  createdAt: timestamp,
  expiresAt: timestamp,
});
export type Upload = z.infer<typeof upload>;

export const SCOPES = [
  'runs:read',
  'runs:write',
  'environments:read',
  'environments:write',
  'agents:write',
  'keys:write',
  'audit:read',
] as const;
export const scope = z.enum(SCOPES);
export type Scope = z.infer<typeof scope>;

export const apiKeyInput = z.strictObject({
  name: plainText(80).refine((text) => text.trim() !== '', 'must not be empty'),
  scopes: z
    .array(scope)
    .min(1)
    .default([...SCOPES]),
  expiresAt: timestamp.optional(),
});
export const apiKey = z.object({
  id: id('key'),
  name: z.string(),
  /** The key's first characters, to recognize it by. */
  prefix: z.string(),
  scopes: z.array(scope),
  createdAt: timestamp,
  expiresAt: timestamp.optional(),
  lastUsedAt: timestamp.optional(),
  revokedAt: timestamp.optional(),
});
export type ApiKey = z.infer<typeof apiKey>;
/** The only response that ever holds the key itself. */
export const apiKeyCreated = apiKey.extend({ key: z.string() });

export const member = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(['member', 'lead', 'admin', 'owner']),
});
export type Member = z.infer<typeof member>;

export const me = z.object({
  member,
  organization: z.object({ id: z.string(), name: z.string() }),
  key: apiKey,
  server: z.object({ id: z.string(), version: z.string(), time: timestamp }),
});
export type Me = z.infer<typeof me>;

export const streamTicket = z.object({ ticket: z.string(), expiresAt: timestamp });
