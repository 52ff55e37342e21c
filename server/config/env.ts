import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CaissonError } from '../../shared/protocol/errors.ts';

/** Step one of three: every setting, its default and what it means, read from the environment and nothing else. */

const flag = z.enum(['0', '1', 'false', 'true']).transform((text) => text === '1' || text === 'true');
const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max);
const path = z.string().min(1);
const httpUrl = z.url({ protocol: /^https?$/ });

interface Setting {
  readonly schema: z.ZodType;
  readonly default?: string;
  readonly help: string;
}

export const SETTINGS = {
  CAISSON_HOST: {
    schema: z.string().min(1),
    default: '127.0.0.1',
    help: 'Address to listen on. Beyond loopback TLS or CAISSON_BEHIND_PROXY is required.',
  },
  CAISSON_PORT: { schema: whole(0, 65535), default: '7480', help: 'TCP port; 0 takes a free one.' },
  CAISSON_DATA_DIR: {
    schema: path,
    default: join(homedir(), '.caisson'),
    help: 'Where the store, the keys and the sandboxes’ disks live.',
  },
  CAISSON_MASTER_KEY: {
    schema: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits'),
    help: 'Master key (32 bytes, hex). Without it, a key file in the data directory.',
  },
  CAISSON_RUNTIME: {
    schema: z.string().regex(/^[a-z][a-z0-9-]{0,40}$/),
    default: 'caisson',
    help: 'The engine’s runtime entry, made by `caisson setup --runtime NAME`. One server per entry.',
  },
  CAISSON_IMAGE: {
    schema: z.string().min(1),
    default: 'caisson/sandbox',
    help: 'The image that environments use unless they name another.',
  },
  CAISSON_AGENTS_DIR: {
    schema: path,
    default: '/var/lib/caisson/agents',
    help: 'Where `caisson setup --agent NAME` installs agents.',
  },
  CAISSON_ALLOW_UNSANDBOXED: {
    schema: flag,
    default: 'false',
    help: 'DANGEROUS. Accepts a runtime that is not gVisor; recorded in every run.',
  },
  CAISSON_TLS_CERT: { schema: path, help: 'PEM file with the certificate chain.' },
  CAISSON_TLS_KEY: { schema: path, help: 'PEM file with the private key.' },
  CAISSON_BEHIND_PROXY: {
    schema: flag,
    default: 'false',
    help: 'A proxy in front of this server terminates TLS and sets X-Forwarded-For.',
  },
  CAISSON_EGRESS_PRIVATE_HOSTS: {
    schema: z.string(),
    default: '',
    help: 'Operator’s exceptions: `name[:port]=cidr,…` lets a named internal host be at a private address.',
  },
  CAISSON_MODEL_URL_ANTHROPIC: {
    schema: httpUrl,
    default: 'https://api.anthropic.com',
    help: 'Where /model/anthropic/ is forwarded to.',
  },
  CAISSON_MODEL_URL_OPENAI: {
    schema: httpUrl,
    default: 'https://api.openai.com',
    help: 'Where /model/openai/ is forwarded to.',
  },
  CAISSON_MODEL_URL_GOOGLE: {
    schema: httpUrl,
    default: 'https://generativelanguage.googleapis.com',
    help: 'Where /model/google/ is forwarded to.',
  },
  CAISSON_MAX_CONCURRENT_RUNS: {
    schema: whole(1, 1000),
    default: '20',
    help: 'Runs that have a sandbox at the same time; more wait in the queue.',
  },
  CAISSON_MAX_QUEUED_RUNS: {
    schema: whole(0, 100_000),
    default: '200',
    help: 'Runs that may wait; beyond that starting one is refused.',
  },
  CAISSON_MAX_UPLOAD_MIB: { schema: whole(1, 16_384), default: '512', help: 'Largest upload, in MiB.' },
  CAISSON_UPLOAD_HOURS: { schema: whole(1, 720), default: '24', help: 'Hours after which an upload is deleted.' },
  CAISSON_MAX_EVENTS_PER_RUN: {
    schema: whole(100, 10_000_000),
    default: '200000',
    help: 'A run that says more than this is stopped.',
  },
  CAISSON_MAX_LOG_MIB_PER_RUN: {
    schema: whole(1, 10_240),
    default: '256',
    help: 'A run whose events take more than this is stopped.',
  },
  CAISSON_RATE_LIMIT_REQUESTS: {
    schema: whole(1, 10_000_000),
    default: '1000',
    help: 'API requests per 15 minutes and IP address.',
  },
  CAISSON_RATE_LIMIT_RUNS: {
    schema: whole(1, 1_000_000),
    default: '30',
    help: 'Run starts per 15 minutes and API key.',
  },
  CAISSON_SECURITY_CONTACT: {
    schema: z.string().regex(/^(mailto:|https:\/\/)[\x21-\x7e]+$/, 'must be a mailto: or https: address'),
    help: 'Where to report a security problem; told in /.well-known/security.txt (RFC 9116).',
  },
  CAISSON_LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    help: 'How much the server writes to stderr.',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof SETTINGS;
type Value<N extends SettingName> = z.infer<(typeof SETTINGS)[N]['schema']>;
type Optional<N extends SettingName> = (typeof SETTINGS)[N] extends { default: string }
  ? Value<N>
  : Value<N> | undefined;
export type Env = { readonly [N in SettingName]: Optional<N> };

/** @throws {CaissonError} that names the setting, the value (never a secret one) and what is wrong with it */
export function readEnv(source: NodeJS.ProcessEnv): Env {
  const unknown = Object.keys(source).filter(
    (name) => name.startsWith('CAISSON_') && !(name in SETTINGS) && !KNOWN_ELSEWHERE.test(name),
  );
  if (unknown.length > 0) {
    throw new CaissonError(
      'invalid_request',
      `${unknown.join(', ')} is not a setting of Caisson. \`caisson serve --help\` lists them.`,
    );
  }
  const entries = Object.entries(SETTINGS).map(([name, setting]: [string, Setting]) => {
    const text = source[name] === undefined || source[name] === '' ? setting.default : source[name];
    if (text === undefined) return [name, undefined];
    const parsed = setting.schema.safeParse(text);
    if (parsed.success) return [name, parsed.data];
    const shown = name === 'CAISSON_MASTER_KEY' ? '(hidden)' : JSON.stringify(text);
    throw new CaissonError(
      'invalid_request',
      `${name}=${shown} is not valid: ${parsed.error.issues[0]?.message ?? 'unknown'}. ${setting.help}`,
    );
  });
  return Object.fromEntries(entries) as Env;
}

/** Settings of the command line, the tests and the sandboxes, which are not the server's. */
const KNOWN_ELSEWHERE = /^CAISSON_(URL|API_KEY|DEBUG|TEST_.*|AGENT_.*)$/;
