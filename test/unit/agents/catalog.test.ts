import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agent as agentSchema, type Agent } from '../../../shared/protocol/rest.ts';
import { agentLaunch, BUILT_IN_AGENTS, isAvailable, sessionSettings } from '../../../server/agents/catalog.ts';

const packs = '/srv/packs';
const builtIn = (name: string): Agent => BUILT_IN_AGENTS.find((agent) => agent.name === name)!;
const own: Agent = {
  ...builtIn('claude'),
  id: 'agt_1',
  name: 'reviewer',
  builtIn: false,
  variables: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:9', MY: '1' },
};

describe('the catalog', () => {
  it('holds valid agents, each once', () => {
    for (const agent of BUILT_IN_AGENTS) agentSchema.parse(agent);
    expect(new Set(BUILT_IN_AGENTS.map(({ name }) => name)).size).toBe(BUILT_IN_AGENTS.length);
    expect(BUILT_IN_AGENTS.map(({ name }) => name)).toEqual(['shell', 'claude', 'codex', 'gemini', 'opencode']);
  });

  it.each([
    ['claude', 'ANTHROPIC_BASE_URL', 'http://127.0.0.1:3128/model/anthropic'],
    ['codex', 'OPENAI_BASE_URL', 'http://127.0.0.1:3128/model/openai/v1'],
    ['gemini', 'GOOGLE_GEMINI_BASE_URL', 'http://127.0.0.1:3128/model/google'],
    ['opencode', 'ANTHROPIC_BASE_URL', 'http://127.0.0.1:3128/model/anthropic'],
  ])('%s finds its model behind the gateway, with a key that opens nothing', (name, variable, url) => {
    const { env, mounts, argv } = agentLaunch(builtIn(name), { packs });
    expect(env[variable]).toBe(url);
    expect(Object.entries(env).filter(([key]) => key.endsWith('_API_KEY'))).toEqual([
      [expect.any(String), 'caisson-placeholder'],
    ]);
    expect(mounts).toEqual([{ source: `/srv/packs/${name}`, target: `/opt/agents/${name}` }]);
    expect(argv.slice(0, 2)).toEqual(['/usr/bin/env', '--']);
  });

  it('gives the shell neither a model nor a pack', () => {
    expect(agentLaunch(builtIn('shell'), { packs })).toMatchObject({ env: {}, mounts: [] });
  });

  it("lets an agent of one's own use a pack, its provider and its own variables", () => {
    const launch = agentLaunch({ ...own, model: 'some-model' }, { packs });
    expect(launch.env).toEqual({
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
      ANTHROPIC_BASE_URL: 'http://127.0.0.1:9',
      ANTHROPIC_API_KEY: 'caisson-placeholder',
      ANTHROPIC_MODEL: 'some-model',
      MY: '1',
    });
    expect(launch.mounts).toEqual([{ source: '/srv/packs/claude', target: '/opt/agents/claude' }]);
  });

  it.each([
    ['/opt/agents/../../etc/x'],
    ['/opt/agents/.hidden/x'],
    ['/opt/agents/claude'],
    ['--file=/opt/agents/claude/x'],
  ])('mounts no pack for %s', (part) => {
    expect(agentLaunch({ ...own, command: [part] }, { packs }).mounts).toEqual([]);
  });

  it('keeps a repository from answering for the person who is to be asked', () => {
    expect(sessionSettings(builtIn('claude'), 'ask')).toEqual({
      mode: 'default',
      sessionMeta: { claudeCode: { options: { settingSources: ['user'] } } },
    });
    expect(sessionSettings(builtIn('claude'), 'auto')).toEqual({ mode: 'default' });
    // The same program under another name is no way around it.
    expect(sessionSettings(own, 'ask')).toEqual(sessionSettings(builtIn('claude'), 'ask'));
    expect(sessionSettings(builtIn('gemini'), 'ask')).toEqual({});
  });
});

describe('an agent is available', () => {
  let folder: string;
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'packs-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('when its program is installed', async () => {
    expect(await isAvailable(builtIn('claude'), folder)).toBe(false);
    const program = join(folder, builtIn('claude').command[1]!.slice('/opt/agents'.length));
    await mkdir(dirname(program), { recursive: true });
    await writeFile(program, '');
    expect(await isAvailable(builtIn('claude'), folder)).toBe(true);
  });

  it('when it needs nothing, as the shell', async () => {
    expect(await isAvailable(builtIn('shell'), folder)).toBe(true);
  });
});
