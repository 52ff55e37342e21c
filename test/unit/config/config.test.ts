import { describe, expect, test } from 'vitest';
import { buildConfig } from '../../../server/config/config.ts';
import { readEnv } from '../../../server/config/env.ts';

describe('settings', () => {
  test('have defaults for everything that is not set', () => {
    const config = buildConfig(readEnv({ HOME: '/home/operator' }));
    expect(config.listen).toMatchObject({ host: '127.0.0.1', port: 7480, tls: undefined });
    expect(config.rateLimits).toEqual({ windowMs: 900_000, requestsPerIp: 1000, runsPerKey: 30 });
  });

  test('an empty value is the same as none', () => {
    expect(readEnv({ CAISSON_PORT: '' }).CAISSON_PORT).toBe(7480);
  });

  test.each([
    [{ CAISSON_PORT: 'http' }, 'CAISSON_PORT="http" is not valid'],
    [{ CAISSON_PORT: '70000' }, 'CAISSON_PORT'],
    [{ CAISSON_PROT: '80' }, 'CAISSON_PROT is not a setting'],
    [{ CAISSON_LOG_LEVEL: 'loud' }, 'CAISSON_LOG_LEVEL'],
    [{ CAISSON_MODEL_URL_OPENAI: 'ftp://x' }, 'CAISSON_MODEL_URL_OPENAI'],
  ])('%j is refused with the setting and what is wrong', (env, message) => {
    expect(() => readEnv(env)).toThrow(message);
  });

  test('a malformed master key is refused without being shown', () => {
    expect(() => readEnv({ CAISSON_MASTER_KEY: 'hunter2' })).toThrow('CAISSON_MASTER_KEY=(hidden)');
    expect(() => readEnv({ CAISSON_MASTER_KEY: 'hunter2' })).not.toThrow('hunter2');
  });

  test.each([
    [{ CAISSON_HOST: '0.0.0.0' }, 'in the clear'],
    [{ CAISSON_HOST: '192.0.2.1' }, 'in the clear'],
    [{ CAISSON_TLS_CERT: '/x.pem' }, 'go together'],
    [{ CAISSON_DATA_DIR: `/${'x'.repeat(90)}` }, 'too long'],
  ])('%j does not fit together', (env, message) => {
    expect(() => buildConfig(readEnv(env))).toThrow(message);
  });

  test.each([{ CAISSON_TLS_CERT: '/c.pem', CAISSON_TLS_KEY: '/k.pem' }, { CAISSON_BEHIND_PROXY: '1' }])(
    'beyond loopback %j is enough',
    (env) => {
      expect(buildConfig(readEnv({ CAISSON_HOST: '0.0.0.0', ...env })).listen.host).toBe('0.0.0.0');
    },
  );
});
