import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One thing that the model says in a turn. */
export type Block =
  { readonly text: string } | { readonly tool: string; readonly input: Readonly<Record<string, unknown>> };

/** What the model answers to one request: its blocks in order. A turn with a tool ends with `tool_use`. */
export type Turn = readonly Block[] | { readonly status: number; readonly error: string };

export interface ScriptedModel {
  readonly url: string;
  /** Requests that were answered with a scripted turn, as the agent sent them. */
  readonly requests: readonly ModelRequest[];
  /** Replaces the script, for the next conversation, and forgets the requests. */
  script(turns: readonly Turn[]): void;
  /** Turns of the script that nobody has asked for yet. */
  unused(): readonly Turn[];
  close(): Promise<void>;
}

export interface ModelRequest {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: {
    readonly model: string;
    readonly tools?: readonly { readonly name: string }[];
    readonly messages: readonly { readonly role: string }[];
  };
}

/** The last turn of a script that ran out: the agent is told that it is done. */
const DONE: Turn = [{ text: 'Done.' }];

/**
 * Which turn answers a request follows from the conversation that it carries, so an agent that asks twice, or that asks
 * something on the side, does not bring the script out of step.
 *
 * A server of the Anthropic Messages API (streaming, https://docs.anthropic.com/en/api/messages-streaming) that says what
 * it is told to, so that a real agent works deterministically and offline. Requests without tools are the agent's
 * own business (titles, warm-up) and take no turn from the script.
 */
export async function startScriptedModel(
  script: readonly Turn[],
  listen: { path?: string } = {},
): Promise<ScriptedModel> {
  let turns = [...script];
  let requests: ModelRequest[] = [];
  const used = new Set<Turn>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const text = await bodyOf(request);
    if (!path.includes('/v1/messages') || path.includes('count_tokens'))
      return json(response, 200, { input_tokens: 10, data: [] });
    const body = JSON.parse(text) as ModelRequest['body'] & { readonly stream?: boolean };
    const scripted = (body.tools ?? []).length > 0;
    if (scripted) requests.push({ path, headers: request.headers, body });
    const said = body.messages.filter((message) => message.role === 'assistant').length;
    const turn = scripted ? (turns[said] ?? DONE) : DONE;
    used.add(turn);
    if ('status' in turn)
      return json(response, turn.status, { type: 'error', error: { type: 'api_error', message: turn.error } });
    const message = toMessage(body.model, requests.length, turn);
    if (body.stream !== true) return json(response, 200, message);
    stream(response, message);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => json(response, 500, { error: { message: String(error) } }));
  });
  await new Promise<void>((resolve) => {
    if (listen.path === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(listen.path, resolve);
  });
  const address = server.address() as AddressInfo | string;
  return {
    url: typeof address === 'string' ? address : `http://127.0.0.1:${address.port}`,
    get requests() {
      return requests;
    },
    script(next) {
      turns = [...next];
      requests = [];
      used.clear();
    },
    unused: () => turns.filter((turn) => !used.has(turn)),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

type ContentBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

function toMessage(model: string, index: number, blocks: readonly Block[]) {
  const content = blocks.map((block, i): ContentBlock =>
    'text' in block
      ? { type: 'text', text: block.text }
      : { type: 'tool_use', id: `toolu_${index}_${i}`, name: block.tool, input: block.input },
  );
  const stopReason = content.some((block) => block.type === 'tool_use') ? 'tool_use' : 'end_turn';
  const usage = { input_tokens: 100, output_tokens: 20 };
  return {
    id: `msg_${index}`,
    type: 'message',
    role: 'assistant',
    model,
    content,
    stop_reason: stopReason,
    stop_sequence: null,
    usage,
  };
}

function stream(response: ServerResponse, message: ReturnType<typeof toMessage>): void {
  const event = (type: string, data: object) =>
    response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  event('message_start', { message: { ...message, content: [], stop_reason: null } });
  for (const [index, block] of message.content.entries()) {
    const start = block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
    const delta =
      block.type === 'text'
        ? { type: 'text_delta', text: block.text }
        : { type: 'input_json_delta', partial_json: JSON.stringify(block.input) };
    event('content_block_start', { index, content_block: start });
    event('content_block_delta', { index, delta });
    event('content_block_stop', { index });
  }
  event('message_delta', { delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: message.usage });
  event('message_stop', {});
  response.end();
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
