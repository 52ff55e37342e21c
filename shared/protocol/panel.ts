import * as z from 'zod';
import { run } from './rest.ts';
import { RUN_STATES } from '../run/state.ts';

/**
 * What the extension host and its webviews say to each other: for each page one union in each direction. Both sides
 * parse what they receive. A `request` number is chosen by the webview and comes back in exactly one `outcome`, so
 * that a button can be busy until it is answered.
 */
const request = z.number().int().nonnegative();
const seq = z.number().int().nonnegative();
const message = <T extends string, S extends z.ZodRawShape>(type: T, shape: S) =>
  z.object({ type: z.literal(type), ...shape });

/** Every page begins with this. `strings` maps the English text to its translation, as `vscode.l10n.bundle` does. */
const page = { strings: z.record(z.string(), z.string()), locale: z.string() };
const outcome = message('outcome', { request, ok: z.boolean(), message: z.string().optional() });
/** For the output channel: something in the page failed. */
const problem = message('problem', { message: z.string().max(10_000) });

// --- the run panel ------------------------------------------------------------------------------------------------

export const runActions = ['cancel', 'pause', 'resume', 'finish', 'terminal'] as const;
export const changeActions = ['diff', 'apply', 'checkout', 'save_patch'] as const;
export const changedFile = z.object({
  path: z.string(),
  previousPath: z.string().optional(),
  status: z.enum(['added', 'modified', 'deleted', 'renamed']),
  /** Lines; null for a binary file. */
  insertions: z.number().int().nonnegative().nullable(),
  deletions: z.number().int().nonnegative().nullable(),
});

export const runToWebview = z.discriminatedUnion('type', [
  message('init', {
    ...page,
    /** Which run on which server: what `panelState` holds when VS Code restores the panel. */
    runId: z.string(),
    server: z.string(),
    /** Shown until the events tell more. */
    title: z.string(),
    /** The actor by which this key's own deeds are in the log, where it is known. */
    self: z.string().optional(),
    /** True where this key may look but not act. */
    readOnly: z.boolean(),
    /** Milliseconds that the server's clock is ahead of this one; elapsed times are wrong without it. */
    clockOffsetMs: z.number(),
  }),
  /**
   * A JSON array of events in order of `seq`, as the server sent them (`originalEvent`). Repetitions are dropped there.
   * Text, because VS Code passes a message on several times, and what it does not look into costs it least.
   */
  message('events', { json: z.string() }),
  /** Everything up to `seq` that was in the log has been sent; from here on it is live. */
  message('caught_up', { seq }),
  message('connection', {
    state: z.enum(['connecting', 'live', 'reconnecting', 'signed_out', 'gone']),
    message: z.string().optional(),
  }),
  message('changes', {
    state: z.enum(['none', 'loading', 'ready', 'failed']),
    files: z.array(changedFile),
    /** What can be done here and now: without a workspace folder, say, nothing can be applied. */
    actions: z.array(z.enum(changeActions)),
    /** Why not, or what to mind (the workspace has changed since the run began). */
    note: z.string().optional(),
  }),
  outcome,
]);
export const runFromWebview = z.discriminatedUnion('type', [
  /** Sent once when the page has loaded: the answer is `init`, `connection` and `changes`. */
  message('ready', {}),
  /** Send every event with a greater `seq`, and go on live. Also sent when an event is found missing. */
  message('subscribe', { after: seq }),
  message('act', { request, action: z.enum(runActions) }),
  message('send', { request, text: z.string().min(1).max(100_000) }),
  message('approve', { request, approvalId: z.string(), optionId: z.string() }),
  /** With `path`, only that file's diff. */
  message('change', { request, action: z.enum(changeActions), path: z.string().optional() }),
  /** A link in what the agent wrote; the user is shown the whole address before it is opened. */
  message('open_link', { url: z.url({ protocol: /^https?$/ }).max(2000) }),
  problem,
]);

// --- the history panel --------------------------------------------------------------------------------------------

const named = z.object({ id: z.string(), name: z.string() });
export const historyQuery = z.object({
  states: z.array(z.enum(RUN_STATES)),
  member: z.string().optional(),
  environment: z.string().optional(),
  /** RFC 3339 times of creation. */
  from: z.string().optional(),
  to: z.string().optional(),
  text: z.string().max(200).optional(),
});

export const historyToWebview = z.discriminatedUnion('type', [
  message('init', { ...page, members: z.array(named), environments: z.array(named) }),
  /** The answer to `query`, unless that fails: then it is `outcome`. */
  message('rows', { request, rows: z.array(run), nextCursor: z.string().optional() }),
  outcome,
]);
export const historyFromWebview = z.discriminatedUnion('type', [
  message('ready', {}),
  message('query', { request, query: historyQuery, cursor: z.string().optional(), limit: z.number().int().max(200) }),
  message('open', { runId: z.string() }),
  /** Asks where, and writes the file. */
  message('save', { request, fileName: z.string().regex(/^[\w-]+\.(csv|json)$/), content: z.string() }),
  problem,
]);

export type RunToWebview = z.infer<typeof runToWebview>;
export type RunFromWebview = z.infer<typeof runFromWebview>;
export type HistoryToWebview = z.infer<typeof historyToWebview>;
export type HistoryFromWebview = z.infer<typeof historyFromWebview>;
export type RunAction = (typeof runActions)[number];
export type ChangeAction = (typeof changeActions)[number];
export type ChangedFile = z.infer<typeof changedFile>;
export type HistoryQuery = z.infer<typeof historyQuery>;

/** What a page keeps with `setState` holds this, so that the host's WebviewPanelSerializer knows what to show again. */
export const panelState = z.object({ runId: z.string(), server: z.string() });

/** One function for each message of a union: a message that is added and not handled does not compile. */
export type Handlers<M extends { type: string }> = {
  readonly [T in M['type']]: (message: Extract<M, { type: T }>) => void | Promise<void>;
};

/** Parses a message and hands it to its handler. @throws {z.ZodError} when it does not have the form of the union */
export async function dispatch<M extends { type: string }>(
  schema: z.ZodType<M>,
  handlers: Handlers<M>,
  input: unknown,
): Promise<void> {
  const parsed = schema.parse(input);
  await handlers[parsed.type as M['type']](parsed as Extract<M, { type: M['type'] }>);
}

/** What the build writes below `dist/webview/`, and what the host's HTML refers to: `<div id="app">` is all it needs. */
export const panelFiles = {
  run: { script: 'run.js', style: 'run.css' },
  history: { script: 'history.js', style: 'history.css' },
} as const;
