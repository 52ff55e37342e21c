import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../../server/cli/main.ts';
import { formatNoteKey } from '../../../shared/audit/checkpoint.ts';
import type { RunEvent } from '../../../shared/protocol/events.ts';
import { RUN_ID, runEvent } from '../../support/run-events.ts';
import { startServerDouble, type ServerDouble } from '../../support/server-double.ts';
import { terminalDouble, type TerminalDouble } from '../../support/terminal-double.ts';

let server: ServerDouble;
let folder: string;
beforeEach(async () => {
  server = await startServerDouble();
  folder = mkdtempSync(join(tmpdir(), 'caisson-cli-test-'));
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function caisson(argv: string[], options: { stdin?: string; terminal?: TerminalDouble } = {}) {
  const env = { CAISSON_URL: server.baseUrl, CAISSON_API_KEY: 'csn_dev_1' };
  const terminal = options.terminal ?? terminalDouble({ env, cwd: folder, ...options });
  const exitCode = await runCli(argv, terminal);
  return { exitCode, stdout: terminal.stdout, notes: terminal.notes.join('\n') };
}
const atTerminal = () =>
  terminalDouble({ env: { CAISSON_URL: server.baseUrl, CAISSON_API_KEY: 'csn_dev_1' }, cwd: folder });

const state = (from: 'queued' | 'running' | 'waiting', to: 'running' | 'succeeded' | 'failed' | 'canceled'): RunEvent =>
  runEvent(1, 'run.state', {
    from,
    to,
    ...(to === 'failed' && { failure: { code: 'agent_exited' as const, message: 'The agent ended with 1' } }),
  });
const created = runEvent(1, 'run.created');
const succeedsAtOnce = () =>
  server.append(created, state('queued', 'running'), runEvent(1, 'agent.message'), state('running', 'succeeded'));

describe('run', () => {
  test('follows the run to its end, and 0 means that it succeeded', async () => {
    succeedsAtOnce();
    const { exitCode, stdout } = await caisson(['run', '--no-source', 'fix', 'the', 'tests']);
    expect(exitCode).toBe(0);
    expect(stdout.join('\n')).toContain('I fixed it.');
    expect(stdout.at(-1)).toContain('succeeded');
    const create = server.requests.find(({ method }) => method === 'POST')!;
    expect(JSON.parse(create.body.toString())).toMatchObject({ prompt: 'fix the tests', source: { kind: 'none' } });
  });

  test('1 when it did not; --json ends with the outcome and gives the events as they were sent', async () => {
    server.append(created, state('queued', 'running'), state('running', 'failed'));
    const { exitCode, stdout } = await caisson(['run', '--no-source', '--json', 'x']);
    expect(exitCode).toBe(1);
    expect(stdout.slice(0, -1).map((line) => JSON.parse(line) as unknown)).toEqual(server.log);
    expect(JSON.parse(stdout.at(-1)!)).toEqual({
      runId: RUN_ID,
      state: 'failed',
      failure: { code: 'agent_exited', message: 'The agent ended with 1' },
    });
  });

  test('uploads the current folder', async () => {
    writeFileSync(join(folder, 'a.txt'), 'a\n');
    succeedsAtOnce();
    const { exitCode, notes } = await caisson(['run', 'x']);
    expect(exitCode).toBe(0);
    expect(notes).toMatch(/Uploaded .* with 1 uncommitted file: .* as a git bundle/);
    const [upload, create] = server.requests;
    expect(upload!.body.toString('latin1')).toMatch(/^# v2 git bundle\n[0-9a-f]{40} refs\/heads\/caisson-source\n/);
    expect(JSON.parse(create!.body.toString())).toMatchObject({ source: { kind: 'upload' } });
  });

  test('a git URL is cloned by the sandbox, the prompt comes from stdin, and --detach does not wait', async () => {
    const argv = ['run', '--repo', 'https://example.com/o/p', '--ref', 'main', '--agent', 'claude', '--detach', '-'];
    const { exitCode, stdout } = await caisson(argv, { stdin: 'make check\n' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: [RUN_ID] });
    expect(JSON.parse(server.requests[0]!.body.toString())).toEqual({
      prompt: 'make check',
      source: { kind: 'git', url: 'https://example.com/o/p', ref: 'main' },
      interactive: false,
      agent: 'claude',
    });
  });

  test('Ctrl-C cancels, waits for the end, and 130 says so', async () => {
    server.append(created, state('queued', 'running'));
    server.onAction = (action) => {
      if (action === 'cancel') server.append(state('running', 'canceled'));
    };
    const terminal = atTerminal();
    const running = caisson(['run', '--no-source', 'sleep 100'], { terminal });
    await vi.waitFor(() => expect(terminal.stdout.join()).toContain('Running'));
    terminal.interrupt();
    expect((await running).exitCode).toBe(130);
    expect(terminal.stdout.join('\n')).toContain('Canceled');
    expect(terminal.exits).toEqual([]);
  });

  test('a second Ctrl-C leaves at once', async () => {
    server.append(created, state('queued', 'running'));
    const terminal = atTerminal();
    const running = caisson(['run', '--no-source', 'sleep 100'], { terminal });
    await vi.waitFor(() => expect(terminal.stdout.join()).toContain('Running'));
    terminal.interrupt();
    terminal.interrupt();
    expect(terminal.exits).toEqual([130]);
    server.append(state('running', 'canceled'));
    await running;
  });

  test('interactive: each line is a message, and the end of the input finishes the run', async () => {
    const waits = runEvent(1, 'run.state', { from: 'running', to: 'waiting', waitingFor: 'input' });
    const texts: unknown[] = [];
    server.append(created, state('queued', 'running'), runEvent(1, 'agent.turn_ended'), waits);
    server.onAction = (action, body) => {
      if (action === 'messages') {
        texts.push(body);
        server.append(runEvent(1, 'run.message'), state('waiting', 'running'), runEvent(1, 'agent.turn_ended'), waits);
      }
      if (action === 'finish') server.append(state('waiting', 'succeeded'));
    };
    const { exitCode } = await caisson(['run', '--no-source', '-i', 'x'], { stdin: 'and the linter\nand the docs\n' });
    expect(exitCode).toBe(0);
    expect(texts).toEqual([{ text: 'and the linter' }, { text: 'and the docs' }]);
  });

  test('a log that does not verify is an error, not an outcome', async () => {
    succeedsAtOnce();
    server.log[2] = { ...server.log[2]!, data: { text: 'I did nothing' } } as RunEvent;
    const { exitCode, notes } = await caisson(['run', '--no-source', 'x']);
    expect(exitCode).toBe(1);
    expect(notes).toContain('does not verify at event 3');
  });
});

describe('mistakes and failures: one sentence, the right exit code, no stack', () => {
  test.each<[string, string[], number, RegExp]>([
    ['an unknown command', ['rnu'], 2, /^$/],
    ['an unknown option', ['runs', '--stat', 'x'], 2, /^$/],
    ['a prompt that is missing', ['run'], 2, /^$/],
    ['a state that is none', ['runs', '--state', 'dreaming'], 2, /^$/],
    ['a number that is none', ['logs', 'last', '--after', 'x'], 2, /^$/],
    ['a URL with credentials', ['run', '--repo', 'https://u:p@example.com/x', 'x'], 2, /contains credentials/],
    ['a token in a URL', ['run', '--repo', 'https://token@example.com/x', 'x'], 2, /contains credentials/],
    ['a file URL', ['run', '--repo', 'file:///srv/x', 'x'], 2, /Give the folder itself/],
    ['a folder that is missing', ['run', '--repo', './none', 'x'], 2, /is not a folder/],
    ['no source and a source', ['run', '--no-source', '--repo', '.', 'x'], 2, /cannot stand beside/],
    ['stdin for two things', ['run', '--no-source', '-i', '-'], 2, /stdin is for the messages/],
    ['a run that is unknown', ['logs', 'zzzzzzzz'], 1, /No run has an id like "zzzzzzzz"/],
    ['a run id that cannot be', ['logs', '../x'], 2, /is not a run id/],
    ['nothing to verify', ['audit', 'verify'], 2, /either a run or a file/],
    ['no approval to answer', ['approve', 'last'], 1, /waits for no approval/],
  ])('%s', async (_name, argv, expected, message) => {
    const silence = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const { exitCode, notes } = await caisson(argv);
      expect(exitCode).toBe(expected);
      expect(notes).toMatch(message);
      expect(notes).not.toMatch(/\n\s+at /);
    } finally {
      silence.mockRestore();
    }
  });

  test('a server that is not there', async () => {
    await server[Symbol.asyncDispose]();
    const { exitCode, notes } = await caisson(['runs']);
    expect(exitCode).toBe(3);
    expect(notes).toMatch(/^error: Cannot reach .*caisson serve/);
    server = await startServerDouble();
  });

  test('the stack is there for those who ask', async () => {
    const env = { CAISSON_URL: server.baseUrl, CAISSON_API_KEY: 'csn_dev_1', CAISSON_DEBUG: '1' };
    const { notes } = await caisson(['logs', 'zzzzzzzz'], { terminal: terminalDouble({ env }) });
    expect(notes).toMatch(/\n\s+at /);
  });
});

describe('looking at and acting on runs', () => {
  test.each(['last', RUN_ID, RUN_ID.slice(-8), RUN_ID.slice(4, 9), RUN_ID.slice(0, 9)])(
    '%s names the run',
    async (name) => {
      succeedsAtOnce();
      const { exitCode, stdout } = await caisson(['logs', name, '--type', 'agent.message', '--json']);
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout.at(-1)!)).toEqual({ runId: RUN_ID, state: 'succeeded' });
    },
  );

  test('logs --follow shows only the wanted types, and ends with the run', async () => {
    succeedsAtOnce();
    const { stdout, exitCode } = await caisson(['logs', 'last', '-f', '--type', 'agent.*']);
    expect(exitCode).toBe(0);
    expect(stdout).toEqual([expect.stringContaining('I fixed it.'), expect.stringContaining('All tests pass.')]);
  });

  test('runs as a table and as JSON', async () => {
    succeedsAtOnce();
    const { stdout } = await caisson(['runs']);
    expect(stdout[0]).toMatch(/^ID +STATE/);
    expect(stdout[1]).toMatch(/^00000000 +succeeded +2025-01-01 00:00 .*shell +default +Make the tests pass$/);
    expect(JSON.parse((await caisson(['runs', '--json'])).stdout[0]!)).toMatchObject({ id: RUN_ID });
  });

  test('the only pending approval needs no name', async () => {
    server.append(created, runEvent(1, 'approval.requested'));
    const answers: unknown[] = [];
    server.onAction = (action, body) => answers.push([action, body]);
    await caisson(['approve', 'last']);
    await caisson(['approve', 'last', 'apr_1', '--reject']);
    expect(answers).toEqual([
      ['approvals/apr_1', { decision: 'allow' }],
      ['approvals/apr_1', { decision: 'reject' }],
    ]);
  });

  test.each(['cancel', 'pause', 'resume', 'finish'])('%s', async (action) => {
    server.append(created);
    expect((await caisson([action, 'last'])).exitCode).toBe(0);
    expect(server.actions()).toEqual([`POST /v1/runs/${RUN_ID}/${action}`]);
  });
});

describe('apply', () => {
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
      cwd: folder,
      encoding: 'utf8',
    });
  const write = (text: string) => writeFileSync(join(folder, 'a.txt'), text);
  const read = () => readFileSync(join(folder, 'a.txt'), 'utf8');
  const PATCH = ['diff --git a/a.txt b/a.txt', '--- a/a.txt', '+++ b/a.txt', '@@ -1 +1 @@', '-one', '+two', ''].join(
    '\n',
  );

  beforeEach(() => {
    git('init', '-q');
    write('one\n');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    server.append(created, runEvent(1, 'run.result'), state('running', 'succeeded'));
    server.patch = PATCH;
  });

  test('--check touches nothing; without it the patch is in the working tree, and not in the index', async () => {
    expect((await caisson(['apply', 'last', '--check'])).notes).toBe('It applies: 1 file.');
    expect(read()).toBe('one\n');
    expect((await caisson(['apply', 'last'])).exitCode).toBe(0);
    expect(read()).toBe('two\n');
    expect(git('status', '--porcelain')).toBe(' M a.txt\n');
  });

  test('a tree that has changed there is told and left alone', async () => {
    write('something else\n');
    const { exitCode, notes } = await caisson(['apply', 'last']);
    expect(exitCode).toBe(1);
    expect(notes).toContain('nothing was touched');
    expect(notes).toContain('a.txt');
    expect(read()).toBe('something else\n');
  });

  test('a patch that leads out of the tree is refused', async () => {
    server.patch = PATCH.replaceAll('a.txt', '../escaped.txt');
    expect((await caisson(['apply', 'last'])).exitCode).toBe(1);
    server.patch = [
      'diff --git a/.git/hooks/x b/.git/hooks/x',
      'new file mode 100755',
      '--- /dev/null',
      '+++ b/.git/hooks/x',
      '@@ -0,0 +1 @@',
      '+x',
      '',
    ].join('\n');
    expect((await caisson(['apply', 'last'])).exitCode).toBe(1);
  });

  test('patch prints it exactly', async () => {
    expect((await caisson(['patch', 'last'])).stdout).toEqual([PATCH]);
  });
});

describe('audit', () => {
  beforeEach(succeedsAtOnce);

  test('a run is verified online, and offline from its export', async () => {
    const online = await caisson(['audit', 'verify', 'last', '--json']);
    expect(online.exitCode).toBe(0);
    expect(JSON.parse(online.stdout[0]!)).toMatchObject({ ok: true, events: 4, keyPinned: false });
    const file = join(folder, 'run.json');
    await caisson(['audit', 'export', 'last', '-o', file]);
    const requests = server.requests.length;
    expect((await caisson(['audit', 'verify', '--file', file])).exitCode).toBe(0);
    expect(server.requests).toHaveLength(requests);
  });

  test.each<[string, (record: { events: { data: unknown }[]; proof: Record<string, unknown> }) => void, RegExp]>([
    ['changed data', ({ events }) => (events[2]!.data = { text: 'nothing' }), /first bad event is 3/],
    ['a missing event', ({ events }) => events.splice(1, 1), /first bad event is 2/],
    ['a cut end', ({ events }) => events.pop(), /first bad event is 4/],
    [
      'a note for something else',
      ({ proof }) => (proof['note'] = String(proof['note']).replace('\n4\n', '\n3\n')),
      /signature/,
    ],
  ])('%s is noticed', async (_name, tamper, message) => {
    const file = join(folder, 'run.json');
    await caisson(['audit', 'export', 'last', '-o', file]);
    const record = JSON.parse(readFileSync(file, 'utf8')) as Parameters<typeof tamper>[0];
    tamper(record);
    writeFileSync(file, JSON.stringify(record));
    const { exitCode, stdout } = await caisson(['audit', 'verify', '--file', file]);
    expect(exitCode).toBe(1);
    expect(stdout.join('\n')).toMatch(message);
  });

  test('a key that the user trusts is the one that counts', async () => {
    const other = sampleKey();
    const { exitCode, stdout } = await caisson(['audit', 'verify', 'last', '--key', other]);
    expect(exitCode).toBe(1);
    expect(stdout.join()).toContain('not signed by other');
  });

  test('a file that is no export', async () => {
    const file = join(folder, 'x.json');
    writeFileSync(file, '{"events":[]}');
    expect((await caisson(['audit', 'verify', '--file', file])).exitCode).toBe(2);
  });
});

/** A verifier key whose secret nobody has. */
function sampleKey(): string {
  return formatNoteKey({ name: 'other', publicKey: new Uint8Array(32).fill(9) });
}

describe('help', () => {
  test('each command has examples', async () => {
    const { buildProgram } = await import('../../../server/cli/program.ts');
    const program = buildProgram('0.0.0', () => async () => undefined);
    const leaves = program.commands.flatMap((command) =>
      command.commands.length > 0 ? [...command.commands] : [command],
    );
    const deepest = leaves.flatMap((command) => (command.commands.length > 0 ? [...command.commands] : [command]));
    expect(deepest.length).toBeGreaterThan(20);
    for (const command of deepest) {
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) });
      command.outputHelp();
      expect(help, command.name()).toContain('Examples:');
    }
  });
});
