import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Agent, Environment } from '../../shared/protocol/rest.ts';
import { RELAY_PORT } from '../sandbox/environment.ts';

/** Where an agent's installed files (its pack) appear inside a sandbox, read-only, in a folder of the agent's name. */
const PACKS = '/opt/agents';
const NODE = '/usr/local/bin/node';
/** Where every model provider is reached from inside; the gateway behind it knows the real address and the key. */
const MODELS = `http://127.0.0.1:${RELAY_PORT}/model`;
/** Agents do not start without a key. This one opens nothing. */
const PLACEHOLDER_KEY = 'caisson-placeholder';

type Provider = NonNullable<Agent['provider']>;
type Approval = Environment['approval'];
type Variables = Readonly<Record<string, string>>;

const builtIn = (
  name: string,
  rest: Pick<Agent, 'description' | 'kind' | 'command'> & { provider?: Provider },
): Agent => ({
  id: name,
  name,
  builtIn: true,
  available: false,
  instructions: '',
  variables: {},
  ...rest,
});

const pack = (name: string, path: string): string => `${PACKS}/${name}/node_modules/${path}`;

/** The agents that every server knows. `available` is said by {@link isAvailable}. */
export const BUILT_IN_AGENTS: readonly Agent[] = [
  builtIn('shell', {
    description: 'Runs the prompt as a Bash script. Needs no model.',
    kind: 'shell',
    command: ['/bin/bash'],
  }),
  builtIn('claude', {
    description: 'Claude Code by Anthropic.',
    kind: 'acp',
    command: [NODE, pack('claude', '@agentclientprotocol/claude-agent-acp/dist/index.js')],
    provider: 'anthropic',
  }),
  builtIn('codex', {
    description: 'Codex by OpenAI.',
    kind: 'acp',
    command: [NODE, pack('codex', '@agentclientprotocol/codex-acp/dist/index.js')],
    provider: 'openai',
  }),
  builtIn('gemini', {
    description: 'Gemini CLI by Google.',
    kind: 'acp',
    command: [NODE, pack('gemini', '@google/gemini-cli/bundle/gemini.js'), '--acp'],
    provider: 'google',
  }),
  builtIn('opencode', {
    description: 'OpenCode, with a model of Anthropic.',
    kind: 'acp',
    command: [pack('opencode', `opencode-linux-${process.arch}/bin/opencode`), 'acp'],
    provider: 'anthropic',
  }),
];

/** The names under which each provider's own libraries look for its address, the key and the model. */
const PROVIDER_VARIABLES: Readonly<Record<Provider, (model: string | undefined) => Variables>> = {
  anthropic: (model) => ({
    ANTHROPIC_BASE_URL: `${MODELS}/anthropic`,
    ANTHROPIC_API_KEY: PLACEHOLDER_KEY,
    ...(model === undefined ? {} : { ANTHROPIC_MODEL: model }),
  }),
  openai: (model) => ({
    OPENAI_BASE_URL: `${MODELS}/openai/v1`,
    OPENAI_API_KEY: PLACEHOLDER_KEY,
    ...(model === undefined ? {} : { OPENAI_MODEL: model }),
  }),
  google: (model) => ({
    GOOGLE_GEMINI_BASE_URL: `${MODELS}/google`,
    GEMINI_API_KEY: PLACEHOLDER_KEY,
    ...(model === undefined ? {} : { GEMINI_MODEL: model }),
  }),
};

/** By pack, what only one agent understands: no updates, no telemetry, and its own way of being told the model's address. */
const OWN_VARIABLES: Readonly<Record<string, (model: string | undefined) => Variables>> = {
  claude: () => ({
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
  }),
  codex: (model) => ({
    MODEL_PROVIDER: 'caisson',
    NO_BROWSER: '1',
    CODEX_CONFIG: JSON.stringify({
      ...(model === undefined ? {} : { model }),
      model_providers: {
        caisson: { name: 'Caisson', base_url: `${MODELS}/openai/v1`, env_key: 'OPENAI_API_KEY', wire_api: 'responses' },
      },
      analytics: { enabled: false },
      check_for_update_on_startup: false,
    }),
  }),
  gemini: () => ({ GEMINI_CLI_DISABLE_AUTO_UPDATE: '1', GEMINI_TELEMETRY_ENABLED: 'false' }),
  opencode: (model) => ({
    OPENCODE_DISABLE_AUTOUPDATE: '1',
    OPENCODE_CONFIG_CONTENT: JSON.stringify({
      ...(model === undefined ? {} : { model: `anthropic/${model}` }),
      provider: { anthropic: { options: { baseURL: `${MODELS}/anthropic/v1`, apiKey: PLACEHOLDER_KEY } } },
      autoupdate: false,
      share: 'disabled',
    }),
  }),
};

/**
 * By pack, how an agent is made to ask, or not, through ACP's session modes. Where both are the same mode the agent always asks,
 * and `auto` means that the run answers in everybody's name: then each step that needed leave is in the log.
 */
const SESSION_MODES: Readonly<Record<string, Readonly<Record<Approval, string>>>> = {
  claude: { ask: 'default', auto: 'default' },
  codex: { ask: 'read-only', auto: 'agent-full-access' },
};

export interface AgentLaunch {
  readonly argv: readonly string[];
  readonly env: Variables;
  readonly mounts: readonly { readonly source: string; readonly target: string }[];
}

/**
 * What it takes to start an agent in a sandbox. `packs` is the folder of the host in which packs are installed.
 *
 * The program is started through `env`, because gVisor reports an execve only when a process in the sandbox makes
 * one: a program that the engine's exec starts directly is in nobody's account.
 */
export function agentLaunch(agent: Agent, { packs }: { readonly packs: string }): AgentLaunch {
  const { provider, model } = agent;
  const env = {
    ...(provider === undefined ? {} : PROVIDER_VARIABLES[provider](model)),
    ...OWN_VARIABLES[packsOf(agent)[0] ?? '']?.(model),
    ...agent.variables,
  };
  const mounts = packsOf(agent).map((name) => ({ source: join(packs, name), target: `${PACKS}/${name}` }));
  return { argv: ['/usr/bin/env', '--', ...agent.command], env, mounts };
}

/** How the session of this agent has to be set up so that it asks as its environment wants it to. */
export function sessionSettings(
  agent: Agent,
  approval: Approval,
): { readonly mode?: string; readonly sessionMeta?: Readonly<Record<string, unknown>> } {
  const [pack = ''] = packsOf(agent);
  const mode = SESSION_MODES[pack]?.[approval];
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(pack === 'claude' && approval === 'ask' ? { sessionMeta: CLAUDE_IGNORES_REPOSITORY_SETTINGS } : {}),
  };
}

/**
 * A repository can bring `.claude/settings.json` with rules that allow everything, and hooks. Where a person is to be
 * asked, the repository must not answer in their place.
 */
const CLAUDE_IGNORES_REPOSITORY_SETTINGS = { claudeCode: { options: { settingSources: ['user'] } } };

/** Whether everything that a built-in agent needs is installed. What an agent of one's own needs is its owner's matter. */
export async function isAvailable(agent: Agent, packs: string): Promise<boolean> {
  const files = agent.command.filter((part) => part.startsWith(`${PACKS}/`));
  const found = await Promise.all(files.map((file) => exists(join(packs, file.slice(PACKS.length)))));
  return found.every(Boolean);
}

/** The packs that a command names; an agent of one's own can use an installed one with other arguments. */
function packsOf(agent: Agent): string[] {
  const names = agent.command.flatMap((part) => /^\/opt\/agents\/([a-z0-9-]+)\//.exec(part)?.slice(1) ?? []);
  return [...new Set(names)];
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // For whatever reason it cannot be reached, it cannot be used.
  }
}
