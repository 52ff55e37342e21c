import { z } from 'zod';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { limited, limitedValue, type ValueLimits } from './text.ts';

/**
 * What an agent tells about its work (`session/update`, https://agentclientprotocol.com/protocol/v1/prompt-turn), as
 * events. Parsed leniently: an agent may send kinds and fields that are newer than this, and what it says is a claim in
 * any case. What is too large to show is cut.
 */
export type Update =
  | {
      readonly kind: 'text';
      readonly channel: 'agent.message' | 'agent.thought';
      readonly message: string;
      readonly text: string;
    }
  | { readonly kind: 'event'; readonly event: NewEvent }
  /** Understood, and not worth an event: available commands, titles, modes. */
  | { readonly kind: 'quiet' }
  | { readonly kind: 'unknown' };

const MAX_TEXT = 16 * 1024;
const MAX_LABEL = 500;
const MAX_ITEMS = 100;
const INPUT: ValueLimits = { depth: 8, members: 200, stringLength: 8192 };

const label = z.string().transform((text) => limited(text, MAX_LABEL));
const contentBlock = z.looseObject({ type: z.string(), text: z.string().optional() });
const toolContent = z.looseObject({
  type: z.string(),
  content: contentBlock.optional(),
  path: z.string().optional(),
  oldText: z.string().nullish(),
  newText: z.string().optional(),
  terminalId: z.string().optional(),
});
type ToolContent = z.infer<typeof toolContent>;

const chunk = z.object({ content: contentBlock, messageId: z.string().nullish() });
const plan = z.object({
  entries: z.array(z.object({ content: label, status: label.default('pending'), priority: label.default('medium') })),
});
const toolCall = z.object({
  toolCallId: label,
  title: label.nullish(),
  kind: label.nullish(),
  status: label.nullish(),
  content: z.array(toolContent).nullish(),
  locations: z.array(z.object({ path: label })).nullish(),
  rawInput: z.unknown().optional(),
  rawOutput: z.unknown().optional(),
});

const notification = z.object({ sessionId: z.string(), update: z.looseObject({ sessionUpdate: z.string() }) });

const QUIET = new Set([
  'user_message_chunk',
  'available_commands_update',
  'current_mode_update',
  'config_option_update',
  'session_info_update',
  'usage_update',
]);

/** Remembers what updates leave out: the status of each tool call. */
export function createUpdateReader(sessionId: () => string | undefined): (params: unknown) => Update {
  const status = new Map<string, string>();

  const toolEvent = (call: z.infer<typeof toolCall>, first: boolean): Update => {
    const id = call.toolCallId;
    const current = call.status ?? status.get(id) ?? 'pending';
    const text = resultText(call.content ?? [], call.rawOutput);
    const news = text !== '' || call.rawInput !== undefined || call.title != null || current !== status.get(id);
    if (current === 'completed' || current === 'failed') status.delete(id);
    else if (status.size < 10_000) status.set(id, current);
    const input = call.rawInput === undefined ? {} : { input: limitedValue(call.rawInput, INPUT) };
    if (first) {
      const paths = (call.locations ?? []).slice(0, MAX_ITEMS).map((location) => location.path);
      const data = { id, title: call.title ?? '', kind: call.kind ?? 'other', status: current, paths, ...input };
      return { kind: 'event', event: { type: 'agent.tool_call', actor: 'agent', data } };
    }
    if (!news) return { kind: 'quiet' };
    const title = call.title == null ? {} : { title: call.title };
    const data = { id, status: current, text, ...title, ...input };
    return { kind: 'event', event: { type: 'agent.tool_result', actor: 'agent', data } };
  };

  return (params) => {
    const parsed = notification.safeParse(params);
    if (!parsed.success || parsed.data.sessionId !== sessionId()) return { kind: 'unknown' };
    const { update } = parsed.data;
    switch (update.sessionUpdate) {
      case 'agent_message_chunk':
        return textUpdate('agent.message', update);
      case 'agent_thought_chunk':
        return textUpdate('agent.thought', update);
      case 'plan': {
        const { data } = plan.safeParse(update);
        if (!data) return { kind: 'unknown' };
        const entries = data.entries.slice(0, MAX_ITEMS);
        return { kind: 'event', event: { type: 'agent.plan', actor: 'agent', data: { entries } } };
      }
      case 'tool_call':
      case 'tool_call_update': {
        const { data } = toolCall.safeParse(update);
        return data ? toolEvent(data, update.sessionUpdate === 'tool_call') : { kind: 'unknown' };
      }
      default:
        return { kind: QUIET.has(update.sessionUpdate) ? 'quiet' : 'unknown' };
    }
  };
}

function textUpdate(channel: 'agent.message' | 'agent.thought', update: unknown): Update {
  const { data } = chunk.safeParse(update);
  if (!data) return { kind: 'unknown' };
  return { kind: 'text', channel, message: data.messageId ?? '', text: blockText(data.content) };
}

/** The question's tool call may be one that no update announced. */
export function permissionSubject(call: unknown): { toolCallId: string; title: string; kind: string; input?: unknown } {
  const { toolCallId, title, kind, rawInput } = toolCall.parse(call);
  const input = rawInput === undefined ? {} : { input: limitedValue(rawInput, INPUT) };
  return { toolCallId, title: title ?? '', kind: kind ?? 'other', ...input };
}

function resultText(content: readonly ToolContent[], rawOutput: unknown): string {
  const parts = content.slice(0, MAX_ITEMS).map((item) => {
    if (item.type === 'content' && item.content) return blockText(item.content);
    if (item.type === 'diff') return diffText(item.path ?? '', item.oldText ?? '', item.newText ?? '');
    return `[${limited(item.type, MAX_LABEL)}]`;
  });
  if (parts.length > 0) return limited(parts.join('\n'), MAX_TEXT);
  if (rawOutput === undefined || rawOutput === null) return '';
  if (typeof rawOutput === 'string') return limited(rawOutput, MAX_TEXT);
  return limited(JSON.stringify(limitedValue(rawOutput, INPUT)), MAX_TEXT);
}

function blockText(block: z.infer<typeof contentBlock>): string {
  return block.type === 'text' ? (block.text ?? '') : `[${limited(block.type, MAX_LABEL)}]`;
}

/** Only the lines between what both texts begin and end with; good enough to read, and linear. */
function diffText(path: string, before: string, after: string): string {
  const [a, b] = [before.split('\n'), after.split('\n')];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const removed = before === '' ? [] : a.slice(start, a.length - end).map((line) => `-${line}`);
  const added = b.slice(start, b.length - end).map((line) => `+${line}`);
  return [`--- ${path}`, `+++ ${path}`, `@@ line ${start + 1} @@`, ...removed, ...added].join('\n');
}
