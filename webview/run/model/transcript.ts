import { isKnownEvent, type ClientEvent } from '../../../shared/client/event.ts';
import type { EventData, EventOf, EventType } from '../../../shared/protocol/events.ts';
import { isFinal, type RunStateName } from '../../../shared/run/state.ts';
import {
  OUTPUT_LIMIT,
  type ApprovalItem,
  type Item,
  type NoticeType,
  type OutputItem,
  type Tone,
  type ToolItem,
} from './items.ts';

/** Where an item stands, so that a later event finds it without a search. */
interface Builder {
  readonly items: Item[];
  readonly tools: Map<string, number>;
  readonly approvals: Map<string, number>;
  readonly outputs: Map<OutputItem['source'], number>;
  /** Set for the agent that runs a script: what it says is output, not Markdown. */
  plain: boolean;
}

export interface Transcript {
  readonly items: readonly Item[];
  /** Takes the next event, in order of `seq`. */
  add(event: ClientEvent): void;
}

export function createTranscript(): Transcript {
  const builder: Builder = { items: [], tools: new Map(), approvals: new Map(), outputs: new Map(), plain: false };
  return {
    items: builder.items,
    add: (event) => {
      if (isKnownEvent(event)) (TELL[event.type] as (builder: Builder, event: ClientEvent) => void)(builder, event);
      else builder.items.push({ kind: 'unknown', ...base(event), event });
    },
  };
}

const base = (event: ClientEvent): { key: string; at: string } => ({ key: `e${event.seq}`, at: event.at });

/** What belongs to other tabs or only repeats what another event says. */
const nothing = (): void => undefined;

const notice =
  <T extends NoticeType>(toneOf: (data: EventData<T>) => Tone | undefined) =>
  (builder: Builder, event: EventOf<T>): void => {
    const tone = toneOf((event as { data: unknown }).data as EventData<T>);
    if (tone) builder.items.push({ kind: 'notice', ...base(event), tone, event });
  };

const speech =
  (kind: 'message' | 'thought') =>
  (builder: Builder, event: EventOf<'agent.message'> | EventOf<'agent.thought'>): void => {
    const { items, plain } = builder;
    const last = items.at(-1);
    // One message comes as several events. What the kernel and the gateway saw meanwhile is no part of it.
    if (last?.kind === kind) items[items.length - 1] = { ...last, text: last.text + event.data.text };
    else if (kind === 'message') items.push({ kind, ...base(event), text: event.data.text, plain });
    else items.push({ kind, ...base(event), text: event.data.text });
  };

function output(builder: Builder, event: ClientEvent, source: OutputItem['source'], text: string): void {
  const index = builder.outputs.get(source);
  const known = index === undefined ? undefined : builder.items[index];
  if (index !== undefined && known?.kind === 'output') {
    const whole = known.text + text;
    const truncated = known.truncated || whole.length > OUTPUT_LIMIT;
    builder.items[index] = { ...known, text: whole.slice(-OUTPUT_LIMIT), truncated };
    return;
  }
  const item: OutputItem = {
    kind: 'output',
    ...base(event),
    source,
    text: text.slice(-OUTPUT_LIMIT),
    truncated: text.length > OUTPUT_LIMIT,
    state: source === 'stderr' ? 'done' : 'running',
  };
  builder.outputs.set(source, builder.items.push(item) - 1);
}

function step(builder: Builder, event: EventOf<'sandbox.step'>): void {
  const { step, phase, exitCode, ms } = event.data;
  if (phase === 'started') return;
  const index = builder.outputs.get(step);
  builder.outputs.delete(step);
  const known = index === undefined ? undefined : builder.items[index];
  const state = exitCode !== undefined && exitCode !== 0 ? ('failed' as const) : ('done' as const);
  if (index !== undefined && known?.kind === 'output') builder.items[index] = { ...known, state, exitCode, ms };
  else if (state === 'failed')
    builder.items.push({
      kind: 'output',
      ...base(event),
      source: step,
      text: '',
      truncated: false,
      state,
      exitCode,
      ms,
    });
}

function toolResult(builder: Builder, event: EventOf<'agent.tool_result'>): void {
  const { id, status, title, text, input } = event.data;
  const index = builder.tools.get(id);
  const known = index === undefined ? undefined : builder.items[index];
  const change = { status, ...(title && { title }), ...(input !== undefined && { input }) };
  if (index !== undefined && known?.kind === 'tool') {
    // ACP: the content of an update replaces what was there before; without content, what was there stays.
    builder.items[index] = { ...known, ...change, output: text || known.output };
    return;
  }
  const item: ToolItem = {
    kind: 'tool',
    ...base(event),
    title: id,
    toolKind: 'other',
    paths: [],
    output: text,
    ...change,
  };
  builder.tools.set(id, builder.items.push(item) - 1);
}

function resolve(builder: Builder, approvalId: string, resolved: ApprovalItem['resolved'] & object): void {
  const index = builder.approvals.get(approvalId);
  const known = index === undefined ? undefined : builder.items[index];
  if (index === undefined || known?.kind !== 'approval') return;
  builder.approvals.delete(approvalId);
  builder.items[index] = { ...known, resolved };
}

const STATE_TONES: Partial<Record<RunStateName, Tone>> = {
  paused: 'warn',
  succeeded: 'good',
  failed: 'bad',
  canceled: 'warn',
  timed_out: 'bad',
  over_budget: 'bad',
};

/** One entry for each type: a type that is added to the protocol and forgotten here does not compile. */
const TELL: { readonly [T in EventType]: (builder: Builder, event: EventOf<T>) => void } = {
  'run.created': (builder, event) => {
    builder.plain = event.data.agent.name === 'shell';
    builder.items.push({ kind: 'prompt', ...base(event), text: event.data.prompt, by: event.actor });
  },
  'run.state': (builder, event) => {
    if (isFinal(event.data.to)) {
      for (const id of builder.approvals.keys()) resolve(builder, id, { outcome: 'canceled', by: 'server' });
    }
    notice<'run.state'>(({ to }) => STATE_TONES[to])(builder, event);
  },
  'run.message': (builder, event) =>
    void builder.items.push({ kind: 'prompt', ...base(event), text: event.data.text, by: event.actor }),
  'run.result': (builder, event) => void builder.items.push({ kind: 'result', ...base(event), data: event.data }),
  'sandbox.creating': nothing,
  'sandbox.ready': notice(({ kernel }) => (kernel.startsWith('gVisor') ? 'quiet' : 'bad')),
  'sandbox.step': step,
  'sandbox.output': (builder, event) => output(builder, event, event.data.step, event.data.text),
  'sandbox.exited': notice(({ outOfMemory, exitCode }) => (outOfMemory || exitCode !== 0 ? 'bad' : 'quiet')),
  'sandbox.destroyed': notice(({ absent }) => (Object.values(absent).every(Boolean) ? 'quiet' : 'bad')),
  'git.ready': notice(() => 'quiet'),
  'agent.started': (builder, event) => {
    builder.plain = event.data.protocol === 'shell';
    notice<'agent.started'>(() => 'quiet')(builder, event);
  },
  'agent.message': speech('message'),
  'agent.thought': speech('thought'),
  'agent.plan': (builder, event) => {
    const last = builder.items.at(-1);
    if (last?.kind === 'plan') builder.items[builder.items.length - 1] = { ...last, entries: event.data.entries };
    else builder.items.push({ kind: 'plan', ...base(event), entries: event.data.entries });
  },
  'agent.tool_call': (builder, event) => {
    const { id, title, kind, status, input, paths } = event.data;
    const item: ToolItem = {
      kind: 'tool',
      ...base(event),
      title,
      toolKind: kind,
      status,
      paths,
      output: '',
      ...(input !== undefined && { input }),
    };
    builder.tools.set(id, builder.items.push(item) - 1);
  },
  'agent.tool_result': toolResult,
  'agent.usage': nothing,
  'agent.stderr': (builder, event) => {
    // Warnings that come at different times belong where they came.
    if (builder.outputs.get('stderr') !== builder.items.length - 1) builder.outputs.delete('stderr');
    output(builder, event, 'stderr', event.data.text);
  },
  'agent.turn_ended': notice(({ reason, exitCode }) =>
    (exitCode ?? 0) !== 0 || reason === 'refusal' || reason.startsWith('max_') ? 'warn' : undefined,
  ),
  'egress.allowed': nothing,
  'egress.denied': (builder, event) => {
    const last = builder.items.at(-1);
    if (last?.kind === 'denied')
      builder.items[builder.items.length - 1] = { ...last, last: event.data, count: last.count + 1 };
    else builder.items.push({ kind: 'denied', ...base(event), last: event.data, count: 1 });
  },
  'egress.closed': nothing,
  'process.exec': nothing,
  'process.exit': nothing,
  'process.connect': nothing,
  'approval.requested': (builder, event) => {
    const { approvalId, title, kind, input, options } = event.data;
    const item: ApprovalItem = {
      kind: 'approval',
      ...base(event),
      approvalId,
      title,
      toolKind: kind,
      options,
      ...(input !== undefined && { input }),
    };
    builder.approvals.set(approvalId, builder.items.push(item) - 1);
  },
  'approval.resolved': (builder, event) =>
    resolve(builder, event.data.approvalId, { outcome: event.data.outcome, by: event.data.by }),
  'terminal.opened': notice(() => 'warn'),
  'terminal.closed': notice(() => 'quiet'),
  'alert.raised': notice(() => 'bad'),
  error: notice(() => 'bad'),
};
