import {
  isEventType,
  type ApprovalOption,
  type EventData,
  type EventOf,
  type EventType,
  type PatchSummary,
  type RunEvent,
  type RunFailureCode,
  type UnknownEvent,
  type Usage,
} from '../protocol/events.ts';
import { isFinal, type RunStateName } from './state.ts';

export interface PendingApproval {
  readonly approvalId: string;
  readonly toolCallId: string;
  readonly title: string;
  readonly kind: string;
  readonly input?: unknown;
  readonly options: readonly ApprovalOption[];
}

/**
 * What a run's log adds up to. Plain JSON of bounded size (counts instead of lists wherever a run can produce any
 * number of something), so that the server can store it beside the log and send it to clients as it is.
 */
export interface RunView {
  readonly runId: string;
  /** The last event that this view contains; 0 for none. */
  readonly lastSeq: number;
  readonly state: RunStateName;
  readonly waitingFor?: 'input' | 'approval';
  readonly failure?: { readonly code: RunFailureCode; readonly message: string };
  readonly title: string;
  /** The prompt that the run began with; `messages` counts the ones that followed. */
  readonly prompt: string;
  readonly messages: number;
  /** Turns that the agent has ended. */
  readonly turns: number;
  readonly agent: { readonly id: string; readonly name: string };
  readonly environment: { readonly id: string; readonly name: string };
  readonly source: EventData<'run.created'>['source'];
  readonly interactive: boolean;
  readonly sandboxed: boolean;
  /** Times are the events' own `at` (RFC 3339, UTC). `startedAt` is the first time that the run was `running`. */
  readonly createdAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly sandbox?: {
    readonly id: string;
    readonly runtime: string;
    readonly kernel: string;
    readonly coldStartMs: number;
  };
  readonly pendingApprovals: readonly PendingApproval[];
  readonly egress: {
    readonly allowed: number;
    readonly denied: number;
    readonly sentBytes: number;
    readonly receivedBytes: number;
  };
  /** Programs that the kernel saw start. */
  readonly processes: number;
  readonly toolCalls: number;
  readonly alerts: number;
  /** Known from the run's result on. */
  readonly usage?: Usage;
  readonly patch?: PatchSummary | null;
  readonly commits?: number;
  readonly bundle?: EventData<'run.result'>['bundle'];
  readonly base?: string | null;
  readonly branch?: string | null;
}

/** The view of a run of which no event is known yet. */
export function initialRunView(runId: string): RunView {
  return {
    runId,
    lastSeq: 0,
    state: 'queued',
    title: '',
    prompt: '',
    messages: 0,
    turns: 0,
    agent: { id: '', name: '' },
    environment: { id: '', name: '' },
    source: { kind: 'none' },
    interactive: false,
    sandboxed: true,
    pendingApprovals: [],
    egress: { allowed: 0, denied: 0, sentBytes: 0, receivedBytes: 0 },
    processes: 0,
    toolCalls: 0,
    alerts: 0,
  };
}

type Reducer<T extends EventType> = (view: RunView, event: EventOf<T>) => RunView;

/** For facts that belong to the record and change nothing in the summary. */
const unchanged = (view: RunView): RunView => view;

function changeState(view: RunView, event: EventOf<'run.state'>): RunView {
  const { to, waitingFor, failure } = event.data;
  // The two optional fields describe the state that is left here; neither may outlive it.
  const { waitingFor: _waitingFor, failure: _failure, ...rest } = view;
  const ended = isFinal(to);
  return {
    ...rest,
    state: to,
    ...(waitingFor && { waitingFor }),
    ...(failure && { failure }),
    ...(to === 'running' && rest.startedAt === undefined && { startedAt: event.at }),
    ...(ended && { endedAt: event.at, pendingApprovals: [] }),
  };
}

const count = (view: RunView, counts: Partial<RunView['egress']>): RunView => ({
  ...view,
  egress: {
    allowed: view.egress.allowed + (counts.allowed ?? 0),
    denied: view.egress.denied + (counts.denied ?? 0),
    sentBytes: view.egress.sentBytes + (counts.sentBytes ?? 0),
    receivedBytes: view.egress.receivedBytes + (counts.receivedBytes ?? 0),
  },
});

const withoutApproval = (view: RunView, approvalId: string) =>
  view.pendingApprovals.filter((pending) => pending.approvalId !== approvalId);

/** One entry for each type: a type that is added to the protocol and forgotten here does not compile. */
const REDUCERS: { readonly [T in EventType]: Reducer<T> } = {
  'run.created': (view, { at, data }) => ({
    ...view,
    createdAt: at,
    title: data.title,
    prompt: data.prompt,
    agent: data.agent,
    environment: data.environment,
    source: data.source,
    interactive: data.interactive,
    sandboxed: data.sandboxed,
  }),
  'run.state': changeState,
  'run.message': (view) => ({ ...view, messages: view.messages + 1 }),
  'run.result': (view, { data }) => ({
    ...view,
    usage: data.usage,
    patch: data.patch,
    commits: data.commits.length,
    bundle: data.bundle,
    base: data.base,
    branch: data.branch,
  }),
  'sandbox.creating': unchanged,
  'sandbox.ready': (view, { data }) => ({
    ...view,
    sandbox: { id: data.sandboxId, runtime: data.runtime, kernel: data.kernel, coldStartMs: data.coldStartMs },
  }),
  'sandbox.step': unchanged,
  'sandbox.output': unchanged,
  'sandbox.exited': unchanged,
  'sandbox.destroyed': unchanged,
  'git.ready': (view, { data }) => ({ ...view, base: data.base, branch: data.branch }),
  'agent.started': unchanged,
  'agent.message': unchanged,
  'agent.thought': unchanged,
  'agent.plan': unchanged,
  'agent.tool_call': (view) => ({ ...view, toolCalls: view.toolCalls + 1 }),
  'agent.tool_result': unchanged,
  // Agents report per turn or in total, as they like; what was really used comes with `run.result`.
  'agent.usage': unchanged,
  'agent.stderr': unchanged,
  'agent.turn_ended': (view) => ({ ...view, turns: view.turns + 1 }),
  'egress.allowed': (view) => count(view, { allowed: 1 }),
  'egress.denied': (view) => count(view, { denied: 1 }),
  'egress.closed': (view, { data }) => count(view, { sentBytes: data.sentBytes, receivedBytes: data.receivedBytes }),
  'process.exec': (view) => ({ ...view, processes: view.processes + 1 }),
  'process.exit': unchanged,
  'process.connect': unchanged,
  'approval.requested': (view, { data }) => ({
    ...view,
    pendingApprovals: [...withoutApproval(view, data.approvalId), data],
  }),
  'approval.resolved': (view, { data }) => ({ ...view, pendingApprovals: withoutApproval(view, data.approvalId) }),
  'terminal.opened': unchanged,
  'terminal.closed': unchanged,
  'alert.raised': (view) => ({ ...view, alerts: view.alerts + 1 }),
  error: unchanged,
};

function isKnown(event: RunEvent | UnknownEvent): event is RunEvent {
  return isEventType(event.type);
}

function apply<T extends EventType>(view: RunView, event: EventOf<T>): RunView {
  // An indexed access type does not narrow with its key; that key and event agree is what `EventOf` says.
  return (REDUCERS[event.type] as unknown as Reducer<T>)(view, event);
}

/**
 * The view after one more event. Pure; an event that the view already contains (`seq` not above `lastSeq`) changes
 * nothing, so replaying a log or receiving an event twice is harmless. An event of an unknown type only counts as seen.
 */
export function reduceRun(view: RunView, event: RunEvent | UnknownEvent): RunView {
  if (event.seq <= view.lastSeq) return view;
  const next = isKnown(event) ? apply(view, event) : view;
  return { ...next, lastSeq: event.seq };
}
