import type { ClientEvent } from '../../../shared/client/event.ts';
import type { ApprovalOption, EventData, EventOf } from '../../../shared/protocol/events.ts';

/** What a transcript is made of. An item is never changed: what becomes of it is a new object with the same key. */
interface Base {
  /** From the first event's `seq`, so it is the same after a reload. */
  readonly key: string;
  readonly at: string;
}

export interface PromptItem extends Base {
  readonly kind: 'prompt';
  readonly text: string;
  readonly by: string;
}
export interface MessageItem extends Base {
  readonly kind: 'message';
  readonly text: string;
  /** The output of a script, not Markdown. */
  readonly plain: boolean;
}
export interface ThoughtItem extends Base {
  readonly kind: 'thought';
  readonly text: string;
}
export interface PlanItem extends Base {
  readonly kind: 'plan';
  readonly entries: EventData<'agent.plan'>['entries'];
}
export interface ToolItem extends Base {
  readonly kind: 'tool';
  readonly title: string;
  readonly toolKind: string;
  readonly status: string;
  readonly paths: readonly string[];
  readonly input?: unknown;
  readonly output: string;
}
export interface OutputItem extends Base {
  readonly kind: 'output';
  readonly source: EventData<'sandbox.output'>['step'] | 'stderr';
  /** The last OUTPUT_LIMIT characters; everything is in the audit. */
  readonly text: string;
  readonly truncated: boolean;
  readonly state: 'running' | 'done' | 'failed';
  readonly exitCode?: number | undefined;
  readonly ms?: number | undefined;
}
export interface ApprovalItem extends Base {
  readonly kind: 'approval';
  readonly approvalId: string;
  readonly title: string;
  readonly toolKind: string;
  readonly input?: unknown;
  readonly options: readonly ApprovalOption[];
  readonly resolved?: { readonly outcome: 'allowed' | 'rejected' | 'canceled'; readonly by: string };
}
export interface DeniedItem extends Base {
  readonly kind: 'denied';
  /** The last attempt; `count` in a row were refused. */
  readonly last: EventData<'egress.denied'>;
  readonly count: number;
}
export interface ResultItem extends Base {
  readonly kind: 'result';
  readonly data: EventData<'run.result'>;
}
export interface NoticeItem extends Base {
  readonly kind: 'notice';
  readonly tone: Tone;
  readonly event: EventOf<NoticeType>;
}
export interface UnknownItem extends Base {
  readonly kind: 'unknown';
  readonly event: ClientEvent;
}

export type Tone = 'quiet' | 'good' | 'warn' | 'bad';
export type NoticeType =
  | 'run.state'
  | 'sandbox.ready'
  | 'sandbox.exited'
  | 'sandbox.destroyed'
  | 'git.ready'
  | 'agent.started'
  | 'agent.turn_ended'
  | 'terminal.opened'
  | 'terminal.closed'
  | 'alert.raised'
  | 'error';

export type Item =
  | PromptItem
  | MessageItem
  | ThoughtItem
  | PlanItem
  | ToolItem
  | OutputItem
  | ApprovalItem
  | DeniedItem
  | ResultItem
  | NoticeItem
  | UnknownItem;

export const OUTPUT_LIMIT = 100_000;
