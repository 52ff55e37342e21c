import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyChain } from '../../shared/audit/verify.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import {
  finished,
  leftovers,
  ofType,
  said,
  startTestServer,
  untilEnded,
  untilEvent,
  type TestServer,
} from '../support/server.ts';

/** What people do to a run while it goes on. */
describeSandboxed('the life of a run', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_MAX_CONCURRENT_RUNS: '2' });
  });
  afterAll(async () => {
    expect(await leftovers(caisson)).toEqual([]);
    await caisson.close();
  });
  const start = async (prompt: string, more: object = {}) => (await caisson.client.runs.create({ prompt, ...more })).id;

  test.each([
    ['at once', undefined],
    ['while its sandbox is created', 'sandbox.creating'],
    ['when the source is in', 'git.ready'],
    ['while its agent works', 'agent.message'],
  ])('is canceled %s', async (_when, type) => {
    const id = await start('echo started; sleep 300');
    if (type) await untilEvent(caisson.client, id, (event) => event.type === type);
    await caisson.client.runs.cancel(id);
    const run = await untilEnded(caisson.client, id);
    expect(run.state).toBe('canceled');
    expect(run.failure?.message).toMatch(/^Canceled by key:key_/);
  });

  test('is canceled although its agent ignores every polite signal, and keeps what it made', async () => {
    const id = await start(`trap '' TERM INT HUP; echo made > made.txt; echo ready; while :; do sleep 1; done`);
    await untilEvent(caisson.client, id, (event) => event.type === 'agent.message');
    await caisson.client.runs.cancel(id);
    const run = await untilEnded(caisson.client, id);
    expect(run).toMatchObject({ state: 'canceled', patch: { paths: ['made.txt'] } });
  });

  test('ends at its time limit', async () => {
    await caisson.client.environments.create({ name: 'short', timeLimitSeconds: 3 });
    const run = await untilEnded(caisson.client, await start('sleep 300', { environment: 'short' }));
    expect(run).toMatchObject({
      state: 'timed_out',
      failure: { code: 'time_limit', message: 'The run reached its time limit of 3 s.' },
    });
  });

  test('stands still while it is paused, and that time does not count', async () => {
    await caisson.client.environments.create({ name: 'pausable', timeLimitSeconds: 6 });
    const id = await start('for i in 1 2 3; do echo $i; sleep 1; done', { environment: 'pausable' });
    await untilEvent(caisson.client, id, (event) => event.type === 'agent.message');
    await caisson.client.runs.pause(id);
    expect((await caisson.client.runs.get(id)).state).toBe('paused');
    await expect(caisson.client.runs.pause(id)).rejects.toThrow('paused already');
    const before = (await caisson.client.runs.get(id)).lastSeq;
    await new Promise((resolve) => setTimeout(resolve, 5000));
    expect((await caisson.client.runs.get(id)).lastSeq).toBe(before);
    await caisson.client.runs.resume(id);
    expect((await untilEnded(caisson.client, id)).state).toBe('succeeded');
  });

  test('goes on with follow-up messages, and ends when it is told to', async () => {
    const id = await start('echo first; echo x > /tmp/kept', { interactive: true });
    await untilEvent(caisson.client, id, (event) => event.type === 'run.state' && event.data.to === 'waiting');
    await caisson.client.runs.sendMessage(id, 'cat /tmp/kept; false');
    await untilEvent(
      caisson.client,
      id,
      (event) =>
        event.type === 'run.state' && event.data.from === 'running' && event.data.to === 'waiting' && event.seq > 0,
    );
    await caisson.client.runs.finish(id);
    const { run, events } = await finished(caisson.client, id);
    expect(run.state).toBe('succeeded');
    expect(said(events)).toBe('first\nx\n');
    expect(ofType(events, 'agent.turn_ended')).toHaveLength(2);
  });

  test('waits in the queue for a free place', async () => {
    const busy = await Promise.all([start('sleep 300'), start('sleep 300')]);
    const third = await start('echo third');
    await Promise.all(busy.map((id) => untilEvent(caisson.client, id, (event) => event.type === 'git.ready')));
    expect((await caisson.client.runs.get(third)).state).toBe('queued');
    await Promise.all(busy.map((id) => caisson.client.runs.cancel(id)));
    expect((await untilEnded(caisson.client, third)).state).toBe('succeeded');
    await Promise.all(busy.map((id) => untilEnded(caisson.client, id)));
  });

  test('that was open when the server went away is closed by the next one, and nothing of it is left', async () => {
    const id = await start('sleep 300');
    await untilEvent(caisson.client, id, (event) => event.type === 'git.ready');
    await caisson.restart();
    const run = await caisson.client.runs.get(id);
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'server_restarted' } });
    expect(await leftovers(caisson)).toEqual([]);
  });

  test('can be deleted when it has ended: its data is gone, its chain still verifies', async () => {
    const id = await start('echo forget me');
    await expect(caisson.client.runs.delete(id)).rejects.toThrow('Cancel it first');
    await untilEnded(caisson.client, id);
    let deleted: Promise<void> | undefined;
    const ended = await new Promise((resolve) => {
      const caughtUp = (): void => void (deleted ??= caisson.client.runs.delete(id));
      caisson.client.stream().subscribe(id, 0, { event: () => undefined, caughtUp, ended: resolve });
    });
    await deleted;
    expect(ended, 'what somebody who follows the run is told').toMatchObject({ code: 'gone' });
    await expect(caisson.client.runs.get(id)).rejects.toThrow('There is no run');
    await expect(caisson.client.runs.events(id)).rejects.toThrow('There is no run');
    const { log } = caisson.server.context;
    await expect(log.range(id, { after: 0, limit: 10 })).rejects.toMatchObject({ code: 'gone' });
    const links = await log.links(id, { after: 0, limit: 1000 });
    expect(links.length).toBeGreaterThan(5);
    expect(verifyChain(links, { runId: id, expectedHead: await log.head(id) })).toMatchObject({ ok: true });
  });
});
