import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import { createShellSession } from '../../../server/acp/shell-session.ts';
import type { AgentSession } from '../../../server/acp/session.ts';
import type { SandboxProcess } from '../../../server/sandbox/sandbox.ts';

const never = new AbortController().signal;

/** A process of this machine in the place of one in a sandbox: the script runs in a real Bash. */
function startHere(argv: readonly string[]): Promise<SandboxProcess> {
  const child = spawn(argv[0]!, argv.slice(1), { cwd: tmpdir(), stdio: 'pipe' });
  const exit = new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal ? 137 : 1)));
  });
  return Promise.resolve({
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    exit,
    resize: () => Promise.resolve(),
  });
}

async function shell(
  emit?: (event: NewEvent) => Promise<void>,
): Promise<{ session: AgentSession; events: NewEvent[] }> {
  const events: NewEvent[] = [];
  const record = (event: NewEvent) => Promise.resolve(void events.push(event));
  return { session: await createShellSession({ start: startHere, emit: emit ?? record }), events };
}
const textOf = (events: readonly NewEvent[], type: 'agent.message' | 'agent.stderr') =>
  events.flatMap((event) => (event.type === type ? [event.data.text] : [])).join('');

describe('the shell agent', () => {
  it('runs the prompt and says what it printed', async () => {
    const { session, events } = await shell();
    expect(await session.prompt('echo out; echo err >&2; exit 3', never)).toEqual({
      stopReason: 'end_turn',
      exitCode: 3,
    });
    expect(events[0]).toMatchObject({ type: 'agent.started', data: { name: 'shell', protocol: 'shell' } });
    expect(textOf(events, 'agent.message')).toBe('out\n');
    expect(textOf(events, 'agent.stderr')).toBe('err\n');
  });

  it.each([
    ['the last command decides', 'false\ntrue', 0],
    ['several lines, quotes and here-documents', `cat <<'E'\n$HOME "'\nE\n[ 1 = 1 ]`, 0],
    ['a program that reads stdin finds nothing, and does not eat the script', 'cat\nread -r line\nexit 5', 5],
    ['a syntax error', 'if then', 2],
    ['an unknown command', 'no-such-command-here', 127],
    ['comments and an end without a newline', '# hello\nexit 6', 6],
    ['newlines at the end', 'exit 7\n\n\n', 7],
    ['set -e', 'set -euo pipefail\nfalse | true\nexit 8', 1],
  ])('%s', async (_, script, exitCode) => {
    const { session } = await shell();
    expect((await session.prompt(script, never)).exitCode).toBe(exitCode);
  });

  it('takes a script that is larger than an argument may be', async () => {
    const { session, events } = await shell();
    const script = `x='${'y'.repeat(300_000)}'\necho \${#x}`;
    expect((await session.prompt(script, never)).exitCode).toBe(0);
    expect(textOf(events, 'agent.message')).toBe('300000\n');
  });

  it('keeps the order of a large output and cuts it into readable events', async () => {
    const { session, events } = await shell();
    await session.prompt('seq 50000', never);
    expect(textOf(events, 'agent.message')).toBe(Array.from({ length: 50_000 }, (_, i) => `${i + 1}\n`).join(''));
    expect(events.length).toBeLessThan(100);
  });

  it('replaces bytes that are not UTF-8, and keeps characters that are split across reads', async () => {
    const { session, events } = await shell();
    await session.prompt(String.raw`printf 'a\xff'; printf '\xe2\x82'; sleep 0.05; printf '\xac'`, never);
    expect(textOf(events, 'agent.message')).toBe('a\ufffd€');
  });

  it('does not wait for what the script left in the background', async () => {
    const { session, events } = await shell();
    const turn = await session.prompt('sleep 30 & echo $!; exit 0', never);
    expect(turn.exitCode).toBe(0);
    process.kill(Number(textOf(events, 'agent.message')));
  });

  it('runs one script after the other', async () => {
    const { session } = await shell();
    expect((await session.prompt('exit 1', never)).exitCode).toBe(1);
    expect((await session.prompt('exit 0', never)).exitCode).toBe(0);
  });

  it('stops waiting when the run ends', async () => {
    const { session, events } = await shell();
    const controller = new AbortController();
    const turn = session.prompt('echo $$; exec sleep 30', controller.signal);
    while (textOf(events, 'agent.message') === '') await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort(new Error('canceled'));
    await expect(turn).rejects.toThrow('canceled');
    process.kill(Number(textOf(events, 'agent.message')));
    await session.close();
  });

  it('is stopped by a log that cannot be written', async () => {
    const full = new Error('disk full');
    const { session } = await shell((event) =>
      event.type === 'agent.message' ? Promise.reject(full) : Promise.resolve(),
    );
    await expect(session.prompt('echo hi; sleep 0.3', never)).rejects.toBe(full);
  });
});
