import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openAccount,
  serve,
  type Account,
  type Finished,
  type ServeProcess,
  type StartOptions,
} from '../support/cli.ts';
import { describeSandboxed, TEST_RUNTIME } from '../support/sandboxed.ts';
import { hostLeftovers, repository } from '../support/server.ts';

type Repository = Awaited<ReturnType<typeof repository>>;

/** The command line as a person uses it: a process of its own, against a server that is another. */
describeSandboxed('the command line', () => {
  let account: Account;
  let dataDir: string;
  let server: ServeProcess;
  let repo: Repository;

  beforeAll(async () => {
    account = await openAccount();
    dataDir = join(account.home, 'data');
    server = await serve(account, { dataDir });
    repo = await repository({ 'sum.js': 'export const sum = (a, b) => a - b;\n', 'notes.txt': 'one\n' });
    await writeFile(join(repo.path, 'notes.txt'), 'one\ntwo\n');
    await writeFile(join(repo.path, 'new.txt'), 'not added yet\n');
  });
  afterAll(async () => {
    await server?.stop();
    await account?.[Symbol.asyncDispose]();
    await repo?.dispose();
  });
  const options = (more: StartOptions = {}): StartOptions => ({
    cwd: repo.path,
    ...more,
    env: { CAISSON_URL: server.url, ...more.env },
  });
  const caisson = (args: readonly string[], more?: StartOptions): Promise<Finished> =>
    account.caisson(args, options(more));

  describe('at the first start of the server', () => {
    test('finds the key that was shown once and saved for nobody else to read', async () => {
      const [, shown] = await server.printed(/\n {2}(csn_live_[0-9a-f]{64})\n/);
      const path = join(account.home, '.caisson', 'credentials.json');
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      const saved = JSON.parse(await readFile(path, 'utf8')) as { servers: Record<string, { apiKey: string }> };
      expect(saved.servers[server.url]?.apiKey).toBe(shown);
      expect((await stat(join(dataDir, 'caisson.db'))).mode & 0o077).toBe(0);
      // What is on the server's disk does not give the key away.
      for (const name of await readdir(dataDir)) {
        const content = await readFile(join(dataDir, name)).catch(() => Buffer.alloc(0));
        expect(content.includes(shown!), name).toBe(false);
      }
    });
  });

  describe('run', () => {
    test('takes a dirty repository along, shows what happens, and ends with 0', async () => {
      const { code, stdout, stderr } = await caisson(['run', "cat notes.txt new.txt; sed -i 's/a - b/a + b/' sum.js"]);
      expect(stderr).toContain('with 2 uncommitted files');
      expect(stdout).toContain('two');
      expect(stdout).toContain('not added yet');
      expect(stdout).toMatch(
        /succeeded in .*: \d+ events, hash chain verified; network 0 allowed, 0 denied; \d+ processes\n/,
      );
      expect(stdout).toMatch(/1 file changed: `caisson patch \w{8}` shows, `caisson apply \w{8}` takes over\n$/);
      expect(code).toBe(0);
      expect(stdout + stderr).not.toContain('\u001b');
    });

    test('prints one event a line with --json, and the outcome last', async () => {
      const { code, lines } = await caisson(['run', '--json', '--no-source', 'echo hello; exit 3']);
      expect(code).toBe(1);
      expect(lines.slice(0, -1).map((event) => event['seq'])).toEqual(lines.slice(0, -1).map((_event, i) => i + 1));
      expect(lines[0]).toMatchObject({ type: 'run.created' });
      expect(lines.at(-1)).toEqual({
        runId: lines[0]?.['runId'],
        state: 'failed',
        failure: { code: 'agent_exited', message: 'The script ended with exit code 3.' },
      });
    });

    test('reads the prompt from stdin', async () => {
      const { code, stdout } = await caisson(['run', '--no-source', '-'], { stdin: 'echo from-$((40 + 2))\n' });
      expect(code).toBe(0);
      expect(stdout).toContain('from-42');
    });

    test('holds a conversation over a pipe, one message a line', async () => {
      const talk = { stdin: 'echo second-$((1 + 1))\necho third-$((2 + 1))\n' };
      const { code, stdout } = await caisson(['run', '--no-source', '--interactive', 'echo first'], talk);
      expect(code).toBe(0);
      expect(stdout).toMatch(/first[^]*second-2[^]*third-3[^]*succeeded/);
    });

    test('is canceled by Ctrl-C, waits for the end, and leaves nothing', async () => {
      const started = account.start(['run', '--no-source', 'echo ready; sleep 300'], options());
      await started.printed(/ready/);
      started.process.kill('SIGINT');
      const { code, stdout, stderr } = await started.exited;
      expect(stderr).toContain('Canceling the run');
      expect(stdout).toMatch(/canceled in/);
      expect(code).toBe(130);
      expect(await hostLeftovers(dataDir)).toEqual([]);
    });
  });

  describe('afterwards', () => {
    let id: string;
    beforeAll(async () => {
      const script = "sed -i 's/a - b/a + b/' sum.js && git commit -qam 'Mend sum' && echo later > later.txt";
      const { lines } = await caisson(['run', '--json', '--title', 'Mend it', script]);
      id = String(lines[0]?.['runId']);
    });

    test('runs lists it', async () => {
      expect((await caisson(['runs'])).stdout).toMatch(new RegExp(`${id.slice(-8)} +succeeded .*Mend it\n`));
      expect((await caisson(['runs', '--text', 'mend', '--json'])).lines.map((run) => run['id'])).toEqual([id]);
      expect((await caisson(['runs', '--state', 'running'])).stderr).toContain('There is no such run');
    });

    test('logs prints it, from where one likes, and ends when the run has', async () => {
      const all = await caisson(['logs', 'last', '--json']);
      const rest = await caisson(['logs', id.slice(-8), '--json', '--after', '5', '--follow']);
      expect(rest.code).toBe(0);
      expect(rest.lines).toEqual(all.lines.slice(5));
      expect(rest.lines.at(-1)).toEqual({ runId: id, state: 'succeeded' });
      const some = await caisson(['logs', 'last', '--json', '--type', 'process.*']);
      expect(new Set(some.lines.slice(0, -1).map((event) => String(event['type']).split('.')[0]))).toEqual(
        new Set(['process']),
      );
    });

    test('patch and apply put it into the working tree, beside what is there', async () => {
      expect((await caisson(['patch', 'last'])).stdout).toContain('+export const sum = (a, b) => a + b;');
      expect((await caisson(['apply', 'last', '--check'])).stderr).toContain('It applies: 2 files.');
      expect(await readFile(join(repo.path, 'sum.js'), 'utf8')).toContain('a - b');
      const applied = await caisson(['apply', 'last']);
      expect(applied).toMatchObject({ code: 0, stderr: expect.stringContaining('Applied: 2 files changed.') });
      expect(await readFile(join(repo.path, 'sum.js'), 'utf8')).toContain('a + b');
      expect(await readFile(join(repo.path, 'notes.txt'), 'utf8')).toBe('one\ntwo\n');
      const again = await caisson(['apply', 'last']);
      expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was touched') });
    });

    test('apply --branch brings the commits', async () => {
      expect((await caisson(['apply', id, '--branch', 'mended'])).code).toBe(0);
      expect(await repo.git('log', '--format=%s', '-n', '2', 'mended')).toContain('Mend sum');
      expect(await repo.git('branch', '--show-current')).toBe('main\n');
      const taken = await caisson(['apply', id, '--branch', 'mended']);
      expect(taken.code).not.toBe(0);
      expect(taken.stderr).toMatch(/mended.*exists/);
    });

    test('audit verifies it, exports it, and finds the first event that somebody changed', async () => {
      const verified = await caisson(['audit', 'verify', 'last']);
      expect(verified).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^Verified: \d+ events of run_.* form one unbroken chain/),
      });
      const file = join(account.home, 'run.json');
      expect((await caisson(['audit', 'export', 'last', '-o', file])).code).toBe(0);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const offline = { env: { CAISSON_URL: 'http://127.0.0.1:47' } };
      expect((await caisson(['audit', 'verify', '--file', file], offline)).code).toBe(0);

      type Export = {
        events: { seq: number; data: Record<string, unknown> }[];
        proof: { entries: unknown[]; head: object };
      };
      const record = async () => JSON.parse(await readFile(file, 'utf8')) as Export;
      const forge = async (change: (record: Export) => void) => {
        const forged = await record();
        change(forged);
        const path = join(account.home, 'forged.json');
        await writeFile(path, JSON.stringify(forged));
        const { code, lines } = await caisson(['audit', 'verify', '--file', path, '--json'], offline);
        return { code, ...lines[0] };
      };
      expect(await forge(({ events }) => (events[3]!.data = { forged: true }))).toMatchObject({
        code: 1,
        ok: false,
        seq: 4,
      });
      expect(await forge(({ events }) => events.splice(6, 1))).toMatchObject({ code: 1, ok: false, seq: 7 });
      expect(await forge(({ events }) => events.pop())).toMatchObject({ code: 1, ok: false });
    });
  });

  describe('manages', () => {
    test('a run that is under way: logs --follow and cancel', async () => {
      const detached = await caisson(['run', '--detach', '--no-source', 'echo ready; sleep 300']);
      expect(detached.code).toBe(0);
      const id = detached.stdout.trim();
      const following = account.start(['logs', id, '--follow'], options());
      await following.printed(/ready/);
      const canceled = await caisson(['cancel', id]);
      expect(canceled.code).toBe(0);
      const { code, stdout } = await following.exited;
      expect(code).toBe(0);
      expect(stdout).toMatch(/canceled/);
    });

    test('keys: a revoked one is refused with 3', async () => {
      const created = await caisson(['key', 'create', 'ci', '--scope', 'runs:read', '--expires', '30d']);
      const env = { CAISSON_API_KEY: created.stdout.trim() };
      expect(env.CAISSON_API_KEY).toMatch(/^csn_live_[0-9a-f]{64}$/);
      expect((await caisson(['runs'], { env })).code).toBe(0);
      const forbidden = await caisson(['run', '--no-source', 'ls'], { env });
      expect(forbidden).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('does not have the scope runs:write'),
      });
      const listed = await caisson(['key', 'list']);
      expect(listed.stdout).toMatch(/ci +csn_live_\w{6}… +until /);
      expect(listed.stdout).not.toContain(env.CAISSON_API_KEY);
      expect((await caisson(['key', 'revoke', 'ci'])).code).toBe(0);
      const refused = await caisson(['runs'], { env });
      expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining('API key') });
      expect((await caisson(['key', 'list'])).stdout).toMatch(/ci .*revoked /);
    });

    test('environments and their secrets', async () => {
      const file = join(account.home, 'setup.sh');
      await writeFile(file, 'echo "setup has ${#TOKEN} characters"\n');
      const flags = ['--memory', '512', '--network', 'none', '--var', 'GREETING=hello', '--setup', file];
      expect((await caisson(['env', 'create', 'web', ...flags])).code).toBe(0);
      const secret = await caisson(['env', 'secret', 'set', 'web', 'TOKEN'], { stdin: 'hunter2-hunter2\n' });
      expect(secret.code).toBe(0);
      expect((await caisson(['env', 'update', 'web', '--cpus', '1'])).code).toBe(0);
      const shown = await caisson(['env', 'show', 'web']);
      expect(JSON.parse(shown.stdout)).toMatchObject({
        resources: { cpus: 1, memoryMiB: 512 },
        network: { mode: 'none' },
        secretNames: ['TOKEN'],
      });
      expect(shown.stdout).not.toContain('hunter2');
      const ran = await caisson(['run', '--env', 'web', '--no-source', '--verbose', 'echo "$GREETING, [$TOKEN]"']);
      expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/setup has 15 characters[^]*hello, \[\]/) });
      const misspelt = join(account.home, 'bad.json');
      await writeFile(misspelt, '{"setupscript":"x"}');
      expect(await caisson(['env', 'create', 'bad', '--file', misspelt])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('setupscript'),
      });
      expect((await caisson(['env', 'delete', 'web'])).code).toBe(0);
    });

    test('agents', async () => {
      expect((await caisson(['agents'])).stdout).toMatch(/shell[^]*claude/);
    });
  });

  test.each<[string, string[], NodeJS.ProcessEnv, number, RegExp]>([
    ['nothing', [], {}, 2, /Usage: caisson/],
    ['an unknown command', ['rnu'], {}, 2, /unknown command 'rnu'[^]*run/],
    ['an unknown option', ['run', '--fast', 'ls'], {}, 2, /unknown option '--fast'/],
    ['no prompt', ['run'], {}, 2, /missing required argument 'prompt'/],
    ['two sources', ['run', '--no-source', '--repo', '.', 'ls'], {}, 2, /--no-source cannot stand beside/],
    ['a folder that is not there', ['run', '--repo', '/nowhere', 'ls'], {}, 2, /\/nowhere/],
    ['a URL with a password', ['run', '--repo', 'https://me:hunter2@h.example/r', 'ls'], {}, 2, /contains credentials/],
    [
      'an environment that is not there',
      ['run', '--no-source', '--env', 'nowhere', 'ls'],
      {},
      1,
      /no environment "nowhere"/,
    ],
    ['a run that is not there', ['logs', 'zzzzzzzz'], {}, 1, /No run has an id like "zzzzzzzz"/],
    [
      'a server that is not there',
      ['runs'],
      { CAISSON_URL: 'http://127.0.0.1:47' },
      3,
      /no API key for http:\/\/127\.0\.0\.1:47/,
    ],
    [
      'nobody who listens',
      ['runs'],
      { CAISSON_URL: 'http://127.0.0.1:47', CAISSON_API_KEY: `csn_live_${'0'.repeat(64)}` },
      3,
      /Nothing listens there\. Start the server with `caisson serve`/,
    ],
    ['a wrong key', ['runs'], { CAISSON_API_KEY: `csn_live_${'0'.repeat(64)}` }, 3, /API key/],
    ['a key that is none', ['runs'], { CAISSON_API_KEY: 'hunter2' }, 3, /API key/],
    ['an address that is none', ['runs'], { CAISSON_URL: 'localhost' }, 2, /CAISSON_URL/],
    ['a misspelt setting', ['serve'], { CAISSON_PROT: '1' }, 2, /CAISSON_PROT is not a setting/],
    ['a setting out of range', ['serve', '--port', '70000'], {}, 2, /CAISSON_PORT="70000"/],
    ['an address for all, in the clear', ['serve', '--host', '0.0.0.0'], {}, 2, /CAISSON_TLS_CERT/],
  ])('explains %s', async (_what, args, env, code, words) => {
    const finished = await caisson(args, { env });
    expect(finished.stdout).toBe('');
    expect(finished.stderr).toMatch(words);
    expect(finished.stderr).not.toMatch(/hunter2|\n {4}at /);
    expect(finished.code).toBe(code);
  });

  test('helps with every command', async () => {
    const { code, stdout } = await caisson(['--help']);
    expect(code).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map((match) => match[1]!);
    expect(commands).toEqual(
      expect.arrayContaining([
        'run',
        'runs',
        'logs',
        'cancel',
        'apply',
        'key',
        'env',
        'agents',
        'audit',
        'serve',
        'setup',
      ]),
    );
    const pages = await Promise.all(
      commands.filter((name) => name !== 'help').map(async (name) => [name, await caisson([name, '--help'])] as const),
    );
    for (const [name, page] of pages) {
      expect(page, name).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(new RegExp(`Usage: caisson ${name}`)),
      });
      expect(page.stdout.split('\n').length, name).toBeGreaterThan(4);
    }
    expect(pages.find(([name]) => name === 'serve')?.[1].stdout).toMatch(/CAISSON_PORT \[7480\]/);
  });

  describe('a second server', () => {
    test('on the same data is told who has it', async () => {
      const second = account.start(['serve'], { env: { CAISSON_PORT: '0', CAISSON_DATA_DIR: dataDir } });
      const { code, stderr } = await second.exited;
      expect(stderr).toMatch(/Another Caisson server has .*caisson\.db open/);
      expect(code).not.toBe(0);
    });

    test('on the same runtime entry is told how to get one of its own', async () => {
      const env = { CAISSON_PORT: '0', CAISSON_DATA_DIR: join(account.home, 'other'), CAISSON_RUNTIME: TEST_RUNTIME };
      const { code, stderr } = await account.start(['serve'], { env }).exited;
      expect(stderr).toMatch(/Another Caisson server already receives/);
      expect(stderr).toContain('caisson setup --runtime');
      expect(code).not.toBe(0);
    });

    test('on a runtime entry that does not exist is told how to make it', async () => {
      const env = { CAISSON_DATA_DIR: join(account.home, 'third'), CAISSON_RUNTIME: 'caisson-nowhere' };
      const { code, stderr } = await account.start(['serve', '--port', '0'], { env }).exited;
      expect(stderr).toMatch(/no runtime «caisson-nowhere».*caisson setup --runtime caisson-nowhere/);
      expect(code).not.toBe(0);
    });
  });

  test('stops its server politely: the run is ended, nothing is left, and it starts again', async () => {
    const started = account.start(['run', '--no-source', '--json', 'echo ready; sleep 300'], options());
    await started.printed(/ready/);
    const stopped = await server.stop();
    expect(stopped).toMatchObject({ code: 0, stderr: expect.stringContaining('SIGTERM: ending the active runs') });
    expect(await hostLeftovers(dataDir)).toEqual([]);
    expect(await readdir(join(dataDir, 'sandboxes'))).toEqual([]);

    const port = Number(new URL(server.url).port);
    server = await serve(account, { dataDir, port });
    const { code, lines } = await started.exited;
    expect(code).toBe(1);
    expect(lines.at(-1)).toMatchObject({ state: 'failed', failure: { code: 'server_restarted' } });
    const again = await server.stop();
    expect(again.stdout).not.toContain('csn_live_');
  });
});
