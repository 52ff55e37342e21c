import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSandboxed } from '../support/sandboxed.ts';
import { finished, leftovers, ofType, startTestServer, untilEvent, type TestServer } from '../support/server.ts';

/** A shell for a person in the sandbox of a run that goes on. */
describeSandboxed('a terminal', () => {
  let caisson: TestServer;
  let runId: string;
  beforeAll(async () => {
    caisson = await startTestServer();
    ({ id: runId } = await caisson.client.runs.create({ prompt: 'echo ready; sleep 300' }));
    await untilEvent(caisson.client, runId, (event) => event.type === 'agent.message');
  });
  afterAll(async () => {
    expect(await leftovers(caisson)).toEqual([]);
    await caisson.close();
  });

  function open(id: string) {
    const seen = { text: '' };
    let ended: (value: { exitCode: number | null; message: string | undefined }) => void;
    const end = new Promise<{ exitCode: number | null; message: string | undefined }>((resolve) => (ended = resolve));
    const terminal = caisson.client.openTerminal(
      id,
      { columns: 80, rows: 24 },
      {
        output: (text) => (seen.text += text),
        ended: (exitCode, message) => ended({ exitCode, message }),
      },
    );
    const shows = async (pattern: RegExp) => {
      for (let tries = 0; tries < 200 && !pattern.test(seen.text); tries++)
        await new Promise((resolve) => setTimeout(resolve, 50));
      expect(seen.text).toMatch(pattern);
    };
    return { terminal, end, shows };
  }

  test('runs what is typed, follows a resize, ends with its exit code, and is in the log', async () => {
    const { terminal, end, shows } = open(runId);
    terminal.input('stty size; id -u; echo grün-$((6 * 7))\n');
    await shows(/24 80/);
    await shows(/10001/);
    await shows(/grün-42/);
    terminal.resize({ columns: 132, rows: 50 });
    terminal.input('sleep 0.5; stty size\n');
    await shows(/50 132/);
    terminal.input('/usr/bin/whoami; exit 5\n');
    expect(await end).toEqual({ exitCode: 5, message: undefined });
    const closed = await untilEvent(caisson.client, runId, (event) => event.type === 'terminal.closed');
    expect(closed.data).toMatchObject({ exitCode: 5 });
    expect(closed.actor).toMatch(/^key:key_/);
    await untilEvent(
      caisson.client,
      runId,
      (event) => event.type === 'process.exec' && event.data.path === '/usr/bin/whoami',
    );
  });

  test('that is closed ends its shell', async () => {
    const { terminal, shows } = open(runId);
    terminal.input('echo up; sleep 1000\n');
    await shows(/up/);
    terminal.close();
    let closings = 0;
    await untilEvent(caisson.client, runId, (event) => event.type === 'terminal.closed' && ++closings === 2);
    const other = open(runId);
    other.terminal.input('while pgrep -f "sleep 1[0]00" > /dev/null; do sleep 0.2; done; echo gone-$((1 + 1))\n');
    await other.shows(/gone-2/);
    other.terminal.close();
  });

  test('of an unknown run is refused with the reason', async () => {
    expect(await open('run_00000000000000000000000000').end).toEqual({
      exitCode: null,
      message: expect.stringContaining('There is no run'),
    });
  });

  test('ends with its run', async () => {
    const { end, shows, terminal } = open(runId);
    terminal.input('echo up\n');
    await shows(/up/);
    await caisson.client.runs.cancel(runId);
    expect((await end).exitCode).toBeNull();
    const { run, events } = await finished(caisson.client, runId);
    expect(run.state).toBe('canceled');
    expect(ofType(events, 'terminal.opened')).toHaveLength(4);
  });
});
