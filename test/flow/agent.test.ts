import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ClientEvent } from '../../shared/client/event.ts';
import type { EventOf } from '../../shared/protocol/events.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { startScriptedModel, type ScriptedModel, type Turn } from '../support/scripted-model.ts';
import {
  bundleOf,
  finished,
  leftovers,
  ofType,
  repository,
  said,
  startTestServer,
  untilEvent,
  type TestServer,
} from '../support/server.ts';

const FIX = "sed -i 's/a - b/a + b/' add.js && cat add.js";
const fixes: readonly Turn[] = [
  [{ text: 'The sign is wrong. ' }, { tool: 'Bash', input: { command: FIX, description: 'Fix the sign' } }],
  [{ text: 'Now it adds.' }],
];

/** The real Claude agent in a real sandbox; only the model at the other end of the gateway reads from a script. */
describeSandboxed('the Claude agent', () => {
  let model: ScriptedModel;
  let caisson: TestServer;

  beforeAll(async () => {
    model = await startScriptedModel([]);
    caisson = await startTestServer({ CAISSON_MODEL_URL_ANTHROPIC: model.url });
    await caisson.client.environments.create({ name: 'asking', approval: 'ask' });
  });
  afterEach(() => {
    expect(model.unused(), 'turns that the agent never asked for').toEqual([]);
  });
  afterAll(async () => {
    if (caisson) expect(await leftovers(caisson)).toEqual([]);
    await caisson?.close();
    await model?.close();
  });

  const start = async (script: readonly Turn[], more: object = {}): Promise<string> => {
    model.script(script);
    const repo = await repository({ 'add.js': 'export const add = (a, b) => a - b;\n' });
    const upload = await caisson.client.uploads.create(await bundleOf(repo.path));
    await repo.dispose();
    const source = { kind: 'upload' as const, uploadId: upload.id };
    return (await caisson.client.runs.create({ prompt: 'Make add() add', agent: 'claude', source, ...more })).id;
  };
  const untilAsked = async (id: string) =>
    (await untilEvent(
      caisson.client,
      id,
      (event) => event.type === 'approval.requested',
    )) as EventOf<'approval.requested'>;

  test('fixes a file; its words, tool calls, approvals and tokens are in the log, and the patch comes out', async () => {
    const id = await start(fixes);
    const { run, events } = await finished(caisson.client, id);

    expect(run.failure).toBeUndefined();
    expect(run.state).toBe('succeeded');
    expect(run.patch).toMatchObject({ files: 1, insertions: 1, deletions: 1, paths: ['add.js'] });
    expect(new TextDecoder().decode(await caisson.client.runs.patch(id))).toContain(
      '+export const add = (a, b) => a + b;',
    );

    expect(ofType(events, 'agent.started')[0]?.data).toMatchObject({ protocol: 'acp/1', version: expect.any(String) });
    expect(said(events)).toContain('The sign is wrong. ');
    expect(said(events)).toContain('Now it adds.');
    const calls = ofType(events, 'agent.tool_call');
    expect(calls).toHaveLength(1);
    const results = ofType(events, 'agent.tool_result').filter((event) => event.data.id === calls[0]?.data.id);
    expect(results.some((event) => JSON.stringify(event.data.input ?? '').includes('Fix the sign'))).toBe(true);
    expect(results.at(-1)?.data).toMatchObject({ status: 'completed', text: expect.stringContaining('a + b') });

    const question = ofType(events, 'approval.requested')[0];
    expect(question?.data).toMatchObject({ toolCallId: calls[0]?.data.id, input: { command: FIX } });
    expect(ofType(events, 'approval.resolved')[0]?.data).toMatchObject({
      approvalId: question?.data.approvalId,
      outcome: 'allowed',
      by: 'auto',
    });
    expect(states(events)).toEqual(['preparing', 'running', 'succeeded']);

    // 100 tokens in and 20 out for each of at least two turns of the model, as the agent itself adds them up.
    const usage = ofType(events, 'agent.usage').map((event) => event.data);
    expect(usage).toHaveLength(1);
    expect(usage[0]?.inputTokens).toBeGreaterThanOrEqual(200);
    expect(usage[0]?.inputTokens).toBe(5 * (usage[0]?.outputTokens ?? 0));
    expect(run.usage).toMatchObject(usage[0] ?? {});
    expect(ofType(events, 'agent.turn_ended')[0]?.data.reason).toBe('end_turn');
  });

  test('reaches its model through the gateway only, with a key that opens nothing', async () => {
    const id = await start(fixes);
    const { events } = await finished(caisson.client, id);
    expect(model.requests.length).toBeGreaterThanOrEqual(2);
    expect(model.requests[0]?.path).toMatch(/^\/v1\/messages/);
    expect(model.requests[0]?.headers['x-api-key']).toBe('caisson-placeholder');
    const allowed = ofType(events, 'egress.allowed');
    expect(allowed.length).toBeGreaterThanOrEqual(2);
    expect(allowed.every((event) => event.data.protocol === 'model' && event.data.host === '127.0.0.1')).toBe(true);
    // What the agent would like to tell others at its start is refused and recorded, if it tries at all.
    for (const event of ofType(events, 'egress.denied')) expect(event.data.host).not.toBe('127.0.0.1');
    // The kernel's account has the command that the agent claims to have run.
    expect(ofType(events, 'process.exec').some(changesTheFile)).toBe(true);
    const log = JSON.stringify(events);
    expect(log).not.toContain('caisson-placeholder');
    expect(log).not.toContain(caisson.apiKey);
  });

  test('asks before it acts, waits, and goes on when a person allows it over HTTP', async () => {
    const id = await start(fixes, { environment: 'asking' });
    const { data } = await untilAsked(id);
    expect(data).toMatchObject({ kind: 'execute', input: { command: FIX } });
    expect(data.options.map((option) => option.kind)).toEqual(expect.arrayContaining(['allow_once', 'reject_once']));
    await untilEvent(caisson.client, id, (event) => event.type === 'run.state' && event.data.to === 'waiting');
    expect(await caisson.client.runs.get(id)).toMatchObject({
      state: 'waiting',
      waitingFor: 'approval',
      pendingApprovals: [data.approvalId],
    });
    await expect(caisson.client.runs.approve(id, data.approvalId, { optionId: 'nonsense' })).rejects.toThrow(
      'It offers:',
    );
    await caisson.client.runs.approve(id, data.approvalId, { decision: 'allow' });
    await expect(caisson.client.runs.approve(id, data.approvalId, { decision: 'reject' })).rejects.toMatchObject({
      code: 'not_found',
    });

    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'succeeded', pendingApprovals: [], patch: { paths: ['add.js'] } });
    expect(ofType(events, 'approval.resolved')[0]?.data).toMatchObject({
      outcome: 'allowed',
      by: expect.stringMatching(/^key:key_/),
    });
    expect(states(events)).toEqual(['preparing', 'running', 'waiting', 'running', 'succeeded']);
  });

  test('is told when a person rejects it over the stream, and changes nothing', async () => {
    const id = await start([fixes[0]!, [{ text: 'Then I leave it.' }]], { environment: 'asking' });
    const { data } = await untilAsked(id);
    await untilEvent(caisson.client, id, (event) => event.type === 'run.state' && event.data.to === 'waiting');
    const reject = data.options.find((option) => option.kind === 'reject_once');
    const stream = caisson.client.stream();
    const following = finished(caisson.client, id);
    await expect.poll(() => stream.state.phase, { timeout: 20_000 }).toBe('open');
    stream.approve(id, data.approvalId, reject!.id);

    const { run, events } = await following;
    expect(ofType(events, 'approval.resolved')[0]?.data).toMatchObject({ outcome: 'rejected', optionId: reject?.id });
    expect(run).toMatchObject({ state: 'succeeded', patch: null });
    expect(ofType(events, 'process.exec').some(changesTheFile)).toBe(false);
    expect(ofType(events, 'agent.tool_result').at(-1)?.data.status).toBe('failed');
  });

  test('keeps its conversation: a follow-up message reaches the same session', async () => {
    const id = await start([[{ text: 'What shall I do?' }], ...fixes], { interactive: true });
    await untilEvent(caisson.client, id, (event) => event.type === 'run.state' && event.data.to === 'waiting');
    await caisson.client.runs.sendMessage(id, 'Correct the sign, please');
    await untilEvent(
      caisson.client,
      id,
      (event) => event.type === 'agent.message' && event.data.text.includes('Now it adds'),
    );
    await caisson.client.runs.finish(id);
    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'succeeded', patch: { paths: ['add.js'] } });
    expect(ofType(events, 'agent.started')).toHaveLength(1);
    expect(ofType(events, 'agent.turn_ended')).toHaveLength(2);
    const heard = model.requests.map((request) => JSON.stringify(request.body.messages)).join('\n');
    expect(heard).toMatch(/Make add\(\) add.*What shall I do\?.*Correct the sign, please/);
    const inputTokens = ofType(events, 'agent.usage').map((event) => event.data.inputTokens);
    expect(inputTokens).toHaveLength(2);
    expect(run.usage?.inputTokens).toBe(inputTokens[0]! + inputTokens[1]!);
  });

  test('is canceled in the middle of a turn, and keeps what it made so far', async () => {
    const id = await start([
      [{ tool: 'Bash', input: { command: `${FIX}; sleep 300`, description: 'Fix, then wait' } }],
    ]);
    await untilEvent(
      caisson.client,
      id,
      (event) =>
        event.type === 'process.exec' &&
        event.data.argv.join(' ').endsWith('sleep 300') &&
        event.data.argv.length === 2,
    );
    await caisson.client.runs.cancel(id);
    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'canceled', failure: { code: 'canceled' }, patch: { paths: ['add.js'] } });
    expect(ofType(events, 'sandbox.destroyed')[0]?.data.absent.container).toBe(true);
  });

  test('canceled while its question waits, is told so, and the question is closed', async () => {
    const id = await start([fixes[0]!], { environment: 'asking' });
    await untilAsked(id);
    await untilEvent(caisson.client, id, (event) => event.type === 'run.state' && event.data.to === 'waiting');
    await caisson.client.runs.cancel(id);
    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'canceled', pendingApprovals: [], patch: null });
    expect(ofType(events, 'approval.resolved')[0]?.data).toMatchObject({ outcome: 'canceled', optionId: null });
  });

  test('whose model refuses the request ends with the model’s own words', async () => {
    const id = await start([{ status: 400, error: 'this model does not exist' }]);
    const { run } = await finished(caisson.client, id);
    expect(run).toMatchObject({
      state: 'failed',
      failure: { code: 'agent_exited', message: expect.stringContaining('this model does not exist') },
    });
  });
});

describeSandboxed('the Claude agent, its model not there', () => {
  test('fails, and says what could not be reached', async () => {
    const model = await startScriptedModel([]);
    await model.close();
    const caisson = await startTestServer({ CAISSON_MODEL_URL_ANTHROPIC: model.url });
    try {
      const { command } = await caisson.client.agents.get('claude');
      // By itself it would try for minutes, as it should where a provider is overloaded.
      const variables = { CLAUDE_CODE_MAX_RETRIES: '1' };
      await caisson.client.agents.create({ name: 'impatient', command, provider: 'anthropic', variables });
      const { id } = await caisson.client.runs.create({ prompt: 'Anybody?', agent: 'impatient' });
      const { run, events } = await finished(caisson.client, id);
      expect(run).toMatchObject({ state: 'failed', failure: { code: 'agent_exited' } });
      expect(run.failure?.message).toMatch(/could not be reached/);
      expect(ofType(events, 'egress.closed').some((event) => event.data.error?.includes('ECONNREFUSED'))).toBe(true);
      expect(await leftovers(caisson)).toEqual([]);
    } finally {
      await caisson.close();
    }
  });
});

function states(events: readonly ClientEvent[]): string[] {
  return ofType(events, 'run.state').map((event) => event.data.to);
}

function changesTheFile(event: EventOf<'process.exec'>): boolean {
  return event.data.argv[0]?.endsWith('sed') === true && event.data.argv.includes('add.js');
}
