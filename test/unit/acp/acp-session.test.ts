import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { eventData, type NewEvent } from '../../../shared/protocol/events.ts';
import { createAcpSession, type AcpSessionOptions } from '../../../server/acp/acp-session.ts';
import type { AgentSession, PermissionRequest } from '../../../server/acp/session.ts';
import { connectAgent, fakeAgent, fakeProcess, type FakeProcess } from '../../support/fake-acp-agent.ts';

const never = new AbortController().signal;
const open: AgentSession[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});

interface Harness {
  readonly process: FakeProcess;
  readonly events: NewEvent[];
  readonly options: AcpSessionOptions;
}

function harness(overrides: Partial<AcpSessionOptions> = {}): Harness {
  const process = fakeProcess();
  const events: NewEvent[] = [];
  const options: AcpSessionOptions = {
    process,
    name: 'fake',
    clientInfo: { name: 'caisson', version: '0' },
    emit: async (event) => {
      eventData[event.type].parse(event.data);
      await Promise.resolve();
      events.push(event);
    },
    requestPermission: () => Promise.resolve(null),
    signal: never,
    deadlines: { startMs: 2000, cancelMs: 200, closeMs: 50 },
    ...overrides,
  };
  return { process, events, options };
}

async function start({ options }: Harness): Promise<AgentSession> {
  const session = await createAcpSession(options);
  open.push(session);
  return session;
}

const message = (text: string, messageId?: string) => ({
  sessionUpdate: 'agent_message_chunk' as const,
  content: { type: 'text' as const, text },
  ...(messageId === undefined ? {} : { messageId }),
});
const summary = (events: readonly NewEvent[]) =>
  events.map((event) => `${event.type}: ${'text' in event.data ? event.data.text : JSON.stringify(event.data)}`);

/** An agent whose turn sends these updates, exactly as they are on the wire. */
function agentThatSays(harnessed: Harness, updates: readonly unknown[], stopReason = 'end_turn', extra = {}): void {
  const app = fakeAgent().onRequest('session/prompt', async ({ client, params }) => {
    for (const update of updates)
      await client.notify('session/update', { sessionId: params.sessionId, update } as never);
    return { stopReason, ...extra } as never;
  });
  connectAgent(app, harnessed.process);
}

/** A peer that does not use the SDK: it answers by hand, badly. */
function rawAgent(
  { process }: FakeProcessHolder,
  answer: (request: { id?: number; method?: string }) => string | undefined,
): void {
  let buffer = '';
  process.stdin.on('data', (chunk: Buffer) => {
    buffer += chunk.toString();
    for (let end = buffer.indexOf('\n'); end >= 0; end = buffer.indexOf('\n')) {
      const line = answer(JSON.parse(buffer.slice(0, end)) as { id?: number; method?: string });
      buffer = buffer.slice(end + 1);
      if (line !== undefined) process.stdout.write(line);
    }
  });
}
interface FakeProcessHolder {
  readonly process: FakeProcess;
}
const result = (id: number | undefined, value: unknown) => `${JSON.stringify({ jsonrpc: '2.0', id, result: value })}\n`;
const HELLO = { protocolVersion: 1, agentCapabilities: {} };
const politeUntilPrompt = (request: { id?: number; method?: string }): string | undefined => {
  if (request.method === 'initialize') return result(request.id, HELLO);
  if (request.method === 'session/new') return result(request.id, { sessionId: 's1' });
  return undefined;
};

describe('a turn', () => {
  it('becomes events in the order in which things were said', async () => {
    const h = harness();
    agentThatSays(h, [
      { sessionUpdate: 'agent_thought_chunk', content: { type: 'text', text: 'hm' } },
      message('Let me '),
      message('look.'),
      {
        sessionUpdate: 'tool_call',
        toolCallId: 't1',
        title: 'ls',
        kind: 'execute',
        status: 'pending',
        rawInput: { command: 'ls' },
      },
      {
        sessionUpdate: 'tool_call_update',
        toolCallId: 't1',
        status: 'completed',
        content: [{ type: 'content', content: { type: 'text', text: 'a.txt' } }],
      },
      message('One file.'),
    ]);
    const session = await start(h);
    expect(await session.prompt('list', never)).toEqual({ stopReason: 'end_turn' });
    expect(summary(h.events)).toEqual([
      'agent.started: {"name":"fake","version":"1.2.3","protocol":"acp/1"}',
      'agent.thought: hm',
      'agent.message: Let me look.',
      'agent.tool_call: {"id":"t1","title":"ls","kind":"execute","status":"pending","paths":[],"input":{"command":"ls"}}',
      'agent.tool_result: a.txt',
      'agent.message: One file.',
    ]);
  });

  it('keeps two messages of the agent apart', async () => {
    const h = harness();
    agentThatSays(h, [message('one', 'a'), message('two', 'b'), message(' and a half', 'b')]);
    const session = await start(h);
    await session.prompt('go', never);
    expect(summary(h.events).slice(1)).toEqual(['agent.message: one', 'agent.message: two and a half']);
  });

  it('shows a file change as a diff, and a plan as its entries', async () => {
    const h = harness();
    agentThatSays(h, [
      { sessionUpdate: 'plan', entries: [{ content: 'fix it', status: 'pending', priority: 'high' }] },
      {
        sessionUpdate: 'tool_call_update',
        toolCallId: 't2',
        status: 'completed',
        content: [{ type: 'diff', path: '/workspace/a', oldText: 'x\nold\ny', newText: 'x\nnew\ny' }],
      },
    ]);
    const session = await start(h);
    await session.prompt('go', never);
    expect(h.events[1]).toMatchObject({ type: 'agent.plan', data: { entries: [{ content: 'fix it' }] } });
    expect(h.events[2]).toMatchObject({
      type: 'agent.tool_result',
      data: { text: '--- /workspace/a\n+++ /workspace/a\n@@ line 2 @@\n-old\n+new' },
    });
  });

  it('passes on the tokens that the agent counted', async () => {
    const h = harness();
    agentThatSays(h, [], 'end_turn', { usage: { inputTokens: 10, outputTokens: 2, totalTokens: 12 } });
    const session = await start(h);
    expect(await session.prompt('go', never)).toEqual({
      stopReason: 'end_turn',
      usage: { inputTokens: 10, outputTokens: 2 },
    });
    expect(h.events.at(-1)).toMatchObject({ type: 'agent.usage', data: { inputTokens: 10, outputTokens: 2 } });
  });

  it('begins with the instructions, once', async () => {
    const h = harness({ instructions: 'Be brief.' });
    const prompts: unknown[] = [];
    const app = fakeAgent().onRequest('session/prompt', ({ params }) => {
      prompts.push(params.prompt.map((block) => (block.type === 'text' ? block.text : '')));
      return { stopReason: 'end_turn' };
    });
    connectAgent(app, h.process);
    const session = await start(h);
    await session.prompt('one', never);
    await session.prompt('two', never);
    expect(prompts).toEqual([['Be brief.', 'one'], ['two']]);
  });

  it('ignores what it does not know, and what belongs to another session', async () => {
    const h = harness();
    const app = fakeAgent().onRequest('session/prompt', async ({ client, params }) => {
      const { sessionId } = params;
      await client.notify('session/update', { sessionId, update: { sessionUpdate: 'from_the_future', x: 1 } } as never);
      await client.notify('session/update', { sessionId: 'other', update: message('forged') } as never);
      await client.notify('session/update', { nonsense: true } as never);
      await client.notify('session/update', { sessionId, update: message('fine') });
      return { stopReason: 'end_turn' };
    });
    connectAgent(app, h.process);
    const session = await start(h);
    await session.prompt('go', never);
    expect(summary(h.events).slice(1)).toEqual(['agent.message: fine']);
  });

  it('redacts a secret that is split across chunks', async () => {
    const streamRedactor = () => {
      let held = '';
      return {
        push: (chunk: string) => {
          held += chunk;
          return '';
        },
        flush: () => held.replaceAll('s3cret', '[redacted]'),
      };
    };
    const h = harness({ streamRedactor });
    agentThatSays(h, [message('it is s3c'), message('ret!')]);
    const session = await start(h);
    await session.prompt('go', never);
    expect(summary(h.events).at(-1)).toBe('agent.message: it is [redacted]!');
  });

  it('goes no faster than the log', async () => {
    let unwritten = 0;
    let most = 0;
    const h = harness({
      emit: async () => {
        unwritten += 1;
        most = Math.max(most, unwritten);
        await sleep(1);
        unwritten -= 1;
      },
    });
    agentThatSays(
      h,
      Array.from({ length: 100 }, (_, i) => ({
        sessionUpdate: 'tool_call',
        toolCallId: `t${i}`,
        title: 'x'.repeat(200),
      })),
    );
    const session = await start(h);
    await session.prompt('go', never);
    expect(most).toBe(1);
  });

  it('switches to the mode that was asked for, if it is offered', async () => {
    const modes = {
      currentModeId: 'a',
      availableModes: [
        { id: 'a', name: 'A' },
        { id: 'b', name: 'B' },
      ],
    };
    for (const [mode, expected] of [
      ['b', ['b']],
      ['c', []],
      ['a', []],
    ] as const) {
      const h = harness({ mode });
      const switched: string[] = [];
      const app = fakeAgent().onRequest('session/set_mode', ({ params }) => {
        switched.push(params.modeId);
        return {};
      });
      connectAgent(
        app.onRequest('session/list', () => ({ sessions: [] })),
        h.process,
      );
      rewriteSessionNew(h, { sessionId: 's1', modes });
      await start(h);
      expect(switched).toEqual(expected);
    }
  });
});

/** Lets the fake agent answer session/new with more than its default. */
function rewriteSessionNew({ process }: Harness, answer: unknown): void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = ((chunk: Uint8Array, done: (error?: Error | null) => void) => {
    const text = Buffer.from(chunk).toString();
    return write(text.replace('{"sessionId":"s1"}', JSON.stringify(answer)), done);
  }) as typeof process.stdout.write;
}

describe('permission', () => {
  const options = [
    { optionId: 'yes', name: 'Allow', kind: 'allow_once' as const },
    { optionId: 'no', name: 'Reject', kind: 'reject_once' as const },
  ];
  function agentThatAsks(h: Harness, times = 1): unknown[] {
    const outcomes: unknown[] = [];
    const app = fakeAgent().onRequest('session/prompt', async ({ client, params }) => {
      for (let i = 0; i < times; i++) {
        const answer = await client.request('session/request_permission', {
          sessionId: params.sessionId,
          toolCall: { toolCallId: 't1', title: 'rm -rf', kind: 'execute', rawInput: { command: 'rm' } },
          options,
        });
        outcomes.push((answer as { outcome: unknown }).outcome);
      }
      return { stopReason: 'end_turn' };
    });
    connectAgent(app, h.process);
    return outcomes;
  }

  it.each([
    ['a choice', 'yes', { outcome: 'selected', optionId: 'yes' }],
    ['no answer', null, { outcome: 'cancelled' }],
    ['a choice that was not offered', 'maybe', { outcome: 'cancelled' }],
  ])('is answered with %s', async (_, choice, outcome) => {
    const asked: PermissionRequest[] = [];
    const h = harness({
      requestPermission: (request) => {
        asked.push(request);
        return Promise.resolve(choice);
      },
    });
    const outcomes = agentThatAsks(h);
    const session = await start(h);
    await session.prompt('go', never);
    expect(asked).toEqual([
      {
        toolCallId: 't1',
        title: 'rm -rf',
        kind: 'execute',
        input: { command: 'rm' },
        options: [
          { id: 'yes', name: 'Allow', kind: 'allow_once' },
          { id: 'no', name: 'Reject', kind: 'reject_once' },
        ],
      },
    ]);
    expect(outcomes).toEqual([outcome]);
  });

  it('is canceled with the turn, and not asked for any more after that', async () => {
    const requestPermission = vi.fn<AcpSessionOptions['requestPermission']>(() => new Promise(() => undefined));
    const h = harness({ requestPermission });
    const outcomes = agentThatAsks(h, 2);
    const session = await start(h);
    const turn = session.prompt('go', never);
    await vi.waitFor(() => expect(requestPermission).toHaveBeenCalled());
    await session.cancel();
    await turn;
    expect(outcomes).toEqual([{ outcome: 'cancelled' }, { outcome: 'cancelled' }]);
    expect(requestPermission).toHaveBeenCalledOnce();
  });
});

describe('an agent that misbehaves', () => {
  const failure = (code: string, text: string | RegExp) =>
    expect.objectContaining({ name: 'AgentFailure', code, message: expect.stringMatching(text) as unknown });

  it('never speaks ACP', async () => {
    const h = harness({ deadlines: { startMs: 50, cancelMs: 50, closeMs: 50 } });
    h.process.stderr.write('usage: agent --acp\n');
    await expect(createAcpSession(h.options)).rejects.toEqual(
      failure('agent_protocol', /initialize.*usage: agent --acp/s),
    );
  });

  it('exits at once', async () => {
    const h = harness();
    h.process.stderr.write('cannot find module\n');
    h.process.end(1);
    await expect(createAcpSession(h.options)).rejects.toEqual(
      failure('agent_exited', /exit code 1.*cannot find module/s),
    );
    expect(h.events).toMatchObject([{ type: 'agent.stderr', data: { text: 'cannot find module\n' } }]);
  });

  it.each([126, 127])('is not there (exit code %i)', async (exitCode) => {
    const h = harness();
    h.process.end(exitCode);
    await expect(createAcpSession(h.options)).rejects.toEqual(failure('agent_unavailable', `exit code ${exitCode}`));
  });

  it('exits in the middle of a turn', async () => {
    const h = harness();
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    h.process.stdout.write(
      `${JSON.stringify({ jsonrpc: '2.0', method: 'session/update', params: { sessionId: 's1', update: message('I am') } })}\n`,
    );
    h.process.end(139);
    await expect(turn).rejects.toEqual(failure('agent_exited', /139.*session\/prompt/));
    await session.close();
    expect(summary(h.events).at(-1)).toBe('agent.message: I am');
  });

  it('closes its output and lives on', async () => {
    const h = harness();
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    h.process.stdout.end();
    await expect(turn).rejects.toEqual(failure('agent_protocol', 'closed its output'));
  });

  it('loses its sandbox', async () => {
    const h = harness();
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    h.process.vanish('out of memory');
    await expect(turn).rejects.toEqual(failure('sandbox_died', 'out of memory'));
  });

  it('speaks another version', async () => {
    const h = harness();
    rawAgent(h, (request) => result(request.id, { protocolVersion: 7 }));
    await expect(createAcpSession(h.options)).rejects.toEqual(failure('agent_protocol', 'ACP v7'));
  });

  it('answers with something else', async () => {
    const h = harness();
    rawAgent(h, (request) =>
      request.method === 'initialize' ? result(request.id, HELLO) : result(request.id, { session: 5 }),
    );
    await expect(createAcpSession(h.options)).rejects.toEqual(failure('agent_protocol', /session\/new.*sessionId/));
  });

  it('answers with an error, and wants a login', async () => {
    const h = harness();
    rawAgent(
      h,
      (request) =>
        `${JSON.stringify({ jsonrpc: '2.0', id: request.id, error: { code: -32000, message: 'Authentication required' } })}\n`,
    );
    await expect(createAcpSession(h.options)).rejects.toEqual(failure('agent_unavailable', 'Authentication required'));
  });

  it('prints a banner first: it is shown, and forgiven', async () => {
    const h = harness();
    h.process.stdout.write('Welcome!\n[1,2]\n{"jsonrpc":"2.0","id":"forged","result":{}}\n');
    agentThatSays(h, [message('hi')]);
    const session = await start(h);
    await session.prompt('go', never);
    await session.close();
    expect(summary(h.events)).toContain('agent.stderr: Welcome!\n[1,2]\n{"jsonrpc":"2.0","id":"forged","result":{}}\n');
  });

  it('prints garbage without end', async () => {
    const h = harness({ limits: { noiseLines: 20 } });
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    for (let i = 0; i < 30; i++) h.process.stdout.write('\u0000garbage\n');
    await expect(turn).rejects.toEqual(failure('agent_protocol', /20 lines that are not ACP/));
  });

  it('writes one line of a megabyte: fine', async () => {
    const h = harness();
    agentThatSays(h, [message('x'.repeat(1024 * 1024))]);
    const session = await start(h);
    await session.prompt('go', never);
    const said = h.events.flatMap((event) => (event.type === 'agent.message' ? [event.data.text.length] : []));
    expect(said.reduce((sum, length) => sum + length, 0)).toBe(1024 * 1024);
    expect(Math.max(...said)).toBeLessThanOrEqual(8192);
  });

  it('writes a line without end', async () => {
    const h = harness({ limits: { lineBytes: 1000 } });
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    h.process.stdout.write('y'.repeat(2000));
    await expect(turn).rejects.toEqual(failure('agent_protocol', 'more than 1000 bytes'));
  });

  it('writes bytes that are not UTF-8, and half a surrogate pair', async () => {
    const h = harness();
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    const update = (text: string) =>
      `{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"s1","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"${text}"}}}}\n`;
    h.process.stdout.write(Buffer.from(update('a\u00ffb'), 'latin1'));
    h.process.stdout.write(update(String.raw`c\ud800d`));
    await sleep(0);
    h.process.end(0);
    await expect(turn).rejects.toEqual(failure('agent_exited', 'exit code 0'));
    await session.close();
    expect(summary(h.events).at(-1)).toBe('agent.message: a\ufffdbc\ufffdd');
  });

  it('asks for what is not offered', async () => {
    const h = harness();
    const codes: unknown[] = [];
    const app = fakeAgent().onRequest('session/prompt', async ({ client, params }) => {
      for (const method of ['fs/read_text_file', 'terminal/create', '_made/up']) {
        const error: unknown = await client
          .request(method, { sessionId: params.sessionId, path: '/etc/passwd' })
          .catch((reason: unknown) => reason);
        codes.push((error as { code: number }).code);
      }
      return { stopReason: 'end_turn' };
    });
    connectAgent(app, h.process);
    const session = await start(h);
    await session.prompt('go', never);
    expect(codes).toEqual([-32601, -32601, -32601]);
  });

  it('floods with requests and reads no answers: it is not listened to any further', async () => {
    const h = harness({ limits: { openRequests: 4 } });
    let taken = 0;
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const turn = session.prompt('go', never);
    turn.catch(() => undefined);
    await sleep(5);
    h.process.stdin.pause(); // Nobody reads what we answer.
    h.process.stdout.on('data', () => (taken += 1));
    for (let i = 0; i < 5000; i++)
      h.process.stdout.write(
        `${JSON.stringify({ jsonrpc: '2.0', id: i, method: '_flood', params: { x: 'x'.repeat(200) } })}\n`,
      );
    await sleep(50);
    expect(h.process.stdout.writableLength + h.process.stdout.readableLength).toBeGreaterThan(100_000);
    expect(taken).toBeLessThan(5000);
  });

  it('ignores that it was canceled: the wait ends all the same', async () => {
    const h = harness();
    rawAgent(h, politeUntilPrompt);
    const session = await start(h);
    const controller = new AbortController();
    const turn = session.prompt('go', controller.signal);
    controller.abort(new Error('the run was canceled'));
    await expect(turn).rejects.toThrow('the run was canceled');
    await session.cancel();
    await session.close();
  });

  it('is stopped by a log that cannot be written', async () => {
    const full = new Error('disk full');
    const broken = harness({
      emit: (event) => (event.type === 'agent.started' ? Promise.resolve() : Promise.reject(full)),
    });
    agentThatSays(broken, [{ sessionUpdate: 'tool_call', toolCallId: 't', title: 'x' }]);
    const other = await start(broken);
    await expect(other.prompt('go', never)).rejects.toBe(full);
  });

  it('is given up while it starts when the run ends', async () => {
    const controller = new AbortController();
    const h = harness({ signal: controller.signal });
    const starting = createAcpSession(h.options);
    controller.abort(new Error('the run was canceled'));
    await expect(starting).rejects.toThrow('the run was canceled');
  });
});
