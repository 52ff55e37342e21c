import { resolve } from 'node:path';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { packageVersion } from '../base/package-root.ts';
import type { Env } from './env.ts';

/** Step two of three: what the services need, in their own words. No secrets here (see secrets.ts). */
export interface Config {
  readonly version: string;
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly tls: { readonly cert: string; readonly key: string } | undefined;
    readonly behindProxy: boolean;
  };
  readonly dataDir: string;
  readonly sandbox: {
    readonly runtime: string;
    readonly defaultImage: string;
    readonly allowUnsandboxed: boolean;
    readonly agentsDir: string;
  };
  readonly egress: {
    readonly privateHosts: string;
    readonly modelUrls: Readonly<Record<'anthropic' | 'openai' | 'google', string>>;
  };
  readonly runs: { readonly maxConcurrent: number; readonly maxQueued: number };
  readonly uploads: { readonly maxBytes: number; readonly keepMs: number };
  readonly log: { readonly maxEventsPerRun: number; readonly maxBytesPerRun: number };
  readonly rateLimits: { readonly windowMs: number; readonly requestsPerIp: number; readonly runsPerKey: number };
  readonly securityContact: string | undefined;
  readonly logLevel: string;
}

const MIB = 1024 * 1024;
/** `sun_path` of a Unix socket holds 108 bytes with its end (unix(7)); `/egress/<run id>/egress.sock` takes 50 of them. */
const MAX_DATA_DIR = 107 - '/egress/run_01234567890123456789012345/egress.sock'.length;

/** @throws {CaissonError} when settings that are fine one by one do not fit together */
export function buildConfig(env: Env): Config {
  const dataDir = resolve(env.CAISSON_DATA_DIR);
  if (Buffer.byteLength(dataDir) > MAX_DATA_DIR) {
    throw new CaissonError(
      'invalid_request',
      `CAISSON_DATA_DIR=${dataDir} is too long: sockets live below it, so at most ${MAX_DATA_DIR} bytes are possible.`,
    );
  }
  if ((env.CAISSON_TLS_CERT === undefined) !== (env.CAISSON_TLS_KEY === undefined)) {
    throw new CaissonError(
      'invalid_request',
      'CAISSON_TLS_CERT and CAISSON_TLS_KEY go together: set both, or neither.',
    );
  }
  const tls =
    env.CAISSON_TLS_CERT && env.CAISSON_TLS_KEY ? { cert: env.CAISSON_TLS_CERT, key: env.CAISSON_TLS_KEY } : undefined;
  if (!isLoopback(env.CAISSON_HOST) && !tls && !env.CAISSON_BEHIND_PROXY) {
    throw new CaissonError(
      'invalid_request',
      `CAISSON_HOST=${env.CAISSON_HOST} is reachable from other machines, and API keys would cross the network in the clear. ` +
        'Set CAISSON_TLS_CERT and CAISSON_TLS_KEY, or CAISSON_BEHIND_PROXY=1 where a proxy terminates TLS.',
    );
  }
  return {
    version: packageVersion(),
    listen: { host: env.CAISSON_HOST, port: env.CAISSON_PORT, tls, behindProxy: env.CAISSON_BEHIND_PROXY },
    dataDir,
    sandbox: {
      runtime: env.CAISSON_RUNTIME,
      defaultImage: env.CAISSON_IMAGE,
      allowUnsandboxed: env.CAISSON_ALLOW_UNSANDBOXED,
      agentsDir: resolve(env.CAISSON_AGENTS_DIR),
    },
    egress: {
      privateHosts: env.CAISSON_EGRESS_PRIVATE_HOSTS,
      modelUrls: {
        anthropic: env.CAISSON_MODEL_URL_ANTHROPIC,
        openai: env.CAISSON_MODEL_URL_OPENAI,
        google: env.CAISSON_MODEL_URL_GOOGLE,
      },
    },
    runs: { maxConcurrent: env.CAISSON_MAX_CONCURRENT_RUNS, maxQueued: env.CAISSON_MAX_QUEUED_RUNS },
    uploads: { maxBytes: env.CAISSON_MAX_UPLOAD_MIB * MIB, keepMs: env.CAISSON_UPLOAD_HOURS * 3_600_000 },
    log: { maxEventsPerRun: env.CAISSON_MAX_EVENTS_PER_RUN, maxBytesPerRun: env.CAISSON_MAX_LOG_MIB_PER_RUN * MIB },
    rateLimits: {
      windowMs: 15 * 60_000,
      requestsPerIp: env.CAISSON_RATE_LIMIT_REQUESTS,
      runsPerKey: env.CAISSON_RATE_LIMIT_RUNS,
    },
    securityContact: env.CAISSON_SECURITY_CONTACT,
    logLevel: env.CAISSON_LOG_LEVEL,
  };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
