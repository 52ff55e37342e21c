import { join } from 'node:path';
import { loadMasterKey } from '../vault/master-key.ts';
import type { Config } from './config.ts';
import type { Env } from './env.ts';

/** Step three of three: what must never be printed, apart from everything that may. */
export interface Secrets {
  /** 32 bytes; everything else that is secret is derived from it or sealed by it. */
  readonly masterKey: Buffer;
}

export async function loadSecrets(env: Env, config: Config): Promise<Secrets> {
  return {
    masterKey: await loadMasterKey({
      file: join(config.dataDir, 'master.key'),
      fromEnvironment: env.CAISSON_MASTER_KEY,
    }),
  };
}
