import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { environmentFrom } from '../../../server/cli/environment-flags.ts';
import { runCli } from '../../../server/cli/main.ts';
import { parseExpiry } from '../../../server/cli/options.ts';
import { matchRunIds } from '../../../server/cli/run-ref.ts';
import { environment, environmentInput, type Environment } from '../../../shared/protocol/rest.ts';
import { sendJson, startApiDouble, type ApiDouble } from '../../support/api-double.ts';
import { terminalDouble } from '../../support/terminal-double.ts';

const AT = '2025-01-01T00:00:00.000Z';
const web: Environment = environment.parse({
  ...environmentInput.parse({ name: 'web', network: { patterns: ['old.example'] } }),
  id: 'env_01jx0000000000000000000000',
  secretNames: ['TOKEN'],
  createdAt: AT,
  updatedAt: AT,
});
const key = {
  id: 'key_01jx0000000000000000000000',
  name: 'ci',
  prefix: 'csn_dev_1234',
  scopes: ['runs:read'],
  createdAt: AT,
};

let double: ApiDouble;
let folder: string;
beforeEach(async () => {
  double = await startApiDouble();
  folder = mkdtempSync(join(tmpdir(), 'caisson-env-test-'));
  double.reply = ({ method, url }, response) => {
    if (method === 'GET') return sendJson(response, 200, { items: url.startsWith('/v1/api-keys') ? [key] : [web] });
    if (method === 'PUT' || method === 'DELETE') return void response.writeHead(204).end();
    return sendJson(response, 200, url.startsWith('/v1/api-keys') ? { ...key, key: 'csn_dev_shown_once' } : web);
  };
});
afterEach(async () => {
  await double[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function caisson(argv: string[], stdin?: string) {
  const env = { CAISSON_URL: double.baseUrl, CAISSON_API_KEY: 'csn_dev_1' };
  const terminal = terminalDouble({ env, cwd: folder, ...(stdin !== undefined && { stdin }) });
  const exitCode = await runCli(argv, terminal);
  const sent = double.requests.filter(({ method }) => method !== 'GET');
  return { exitCode, stdout: terminal.stdout, notes: terminal.notes.join('\n'), sent };
}

describe('environments', () => {
  test('create sends what was named and nothing else', async () => {
    const argv = [
      'env',
      'create',
      'web',
      '--memory',
      '4096',
      '--allow',
      'a.example',
      '--allow',
      '*.b.example',
      '--var',
      'A=1=2',
    ];
    const { exitCode, sent } = await caisson(argv);
    expect(exitCode).toBe(0);
    expect(JSON.parse(sent[0]!.body.toString())).toMatchObject({
      name: 'web',
      resources: { memoryMiB: 4096 },
      network: { patterns: ['a.example', '*.b.example'] },
      variables: { A: '1=2' },
    });
    expect(JSON.parse(sent[0]!.body.toString())).not.toHaveProperty('image');
  });

  test('what `show` prints, `create --file` takes, and flags come on top', async () => {
    const { stdout } = await caisson(['env', 'show', 'web']);
    writeFileSync(join(folder, 'web.json'), stdout.join('\n'));
    const { sent } = await caisson(['env', 'create', 'copy', '--file', join(folder, 'web.json'), '--approval', 'ask']);
    expect(JSON.parse(sent[0]!.body.toString())).toMatchObject({ name: 'copy', approval: 'ask', network: web.network });
    expect(JSON.parse(sent[0]!.body.toString())).not.toHaveProperty('secretNames');
  });

  test('a flag for a part keeps the rest of what the environment has', async () => {
    const draft = await environmentFrom({ network: 'none', cpus: 1, json: false }, terminalDouble(), web);
    expect(draft.network).toEqual({ ...web.network, mode: 'none' });
    expect(draft.resources).toEqual({ ...web.resources, cpus: 1 });
  });

  test('a value that cannot be is refused before it is sent, with its field', async () => {
    writeFileSync(join(folder, 'bad.json'), '{"image": "No Such Image"}');
    const { exitCode, notes, sent } = await caisson(['env', 'create', 'web', '--file', join(folder, 'bad.json')]);
    expect({ exitCode, sent }).toEqual({ exitCode: 2, sent: [] });
    expect(notes).toContain('image');
  });

  test('a secret comes from stdin, without the shell’s line break, and shows up nowhere', async () => {
    const { exitCode, stdout, notes, sent } = await caisson(['env', 'secret', 'set', 'web', 'TOKEN'], 's3cret\n');
    expect(exitCode).toBe(0);
    expect(sent[0]).toMatchObject({ method: 'PUT', url: `/v1/environments/${web.id}/secrets/TOKEN` });
    expect(JSON.parse(sent[0]!.body.toString())).toEqual({ value: 's3cret' });
    expect(stdout.join() + notes).not.toContain('s3cret');
  });

  test('a secret as an argument is a mistake, and nothing is sent', async () => {
    const silence = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { exitCode, sent } = await caisson(['env', 'secret', 'set', 'web', 'TOKEN', 's3cret']);
    silence.mockRestore();
    expect({ exitCode, sent }).toEqual({ exitCode: 2, sent: [] });
  });

  test('an empty secret is no secret', async () => {
    const { exitCode, sent } = await caisson(['env', 'secret', 'set', 'web', 'TOKEN'], '\n');
    expect({ exitCode, sent }).toEqual({ exitCode: 2, sent: [] });
  });
});

describe('keys', () => {
  test('the key alone goes to stdout', async () => {
    const { stdout, sent } = await caisson([
      'key',
      'create',
      'ci',
      '--scope',
      'runs:read,runs:write',
      '--expires',
      '30d',
    ]);
    expect(stdout).toEqual(['csn_dev_shown_once']);
    expect(JSON.parse(sent[0]!.body.toString())).toMatchObject({ name: 'ci', scopes: ['runs:read', 'runs:write'] });
  });

  test('revoking by name', async () => {
    const { exitCode, sent } = await caisson(['key', 'revoke', 'ci']);
    expect(exitCode).toBe(0);
    expect(sent[0]).toMatchObject({ method: 'DELETE', url: `/v1/api-keys/${key.id}` });
    expect((await caisson(['key', 'revoke', 'other'])).exitCode).toBe(1);
  });

  const now = Date.parse(AT);
  test.each([
    ['30d', '2025-01-31T00:00:00.000Z'],
    ['12h', '2025-01-01T12:00:00.000Z'],
    ['2030-01-31', '2030-01-31T00:00:00.000Z'],
  ])('%s is an expiry', (text, expected) => {
    expect(parseExpiry(text, now)).toBe(expected);
  });
  test.each(['soon', '0d', '2020-01-01', '-1d'])('%s is none', (text) => {
    expect(() => parseExpiry(text, now)).toThrow();
  });
});

describe('short run ids', () => {
  const ids = ['run_01aaaaaaaaaaaaaaaaaaaaaaa1', 'run_01aaaaaaaaaaaaaaaaaaaaaab2', 'run_01caaaaaaaaaaaaaaaaaaaaab3'];
  test.each([
    ['run_01c', [ids[2]]],
    ['01C', [ids[2]]],
    ['b2', [ids[1]]],
    ['01a', [ids[0], ids[1]]],
    [ids[0]!, [ids[0]]],
    ['xyz', []],
  ])('%s', (text, expected) => {
    expect(matchRunIds(text, ids)).toEqual(expected);
  });
});
