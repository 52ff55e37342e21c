import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCredentials, saveCredential, serverKey } from '../../../server/cli/credentials.ts';
import { DEFAULT_URL, readSettings } from '../../../server/cli/settings.ts';

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caisson-credentials-test-'));
  path = join(root, '.caisson', 'credentials.json');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const value = { apiKey: 'csn_dev_secret', keyId: 'key_1', createdAt: '2025-01-01T00:00:00.000Z' };

describe('the credentials file', () => {
  test('is empty where there is none', async () => {
    expect(await readCredentials(path)).toEqual({ servers: {} });
  });

  test('keeps one key for each server, in a file and a folder of the owner alone', async () => {
    const umask = process.umask(0);
    try {
      await saveCredential('http://127.0.0.1:7480', value, path);
    } finally {
      process.umask(umask);
    }
    await saveCredential('https://caisson.example/api/', { ...value, apiKey: 'csn_live_other' }, path);
    await saveCredential('http://localhost:7480/', { ...value, keyId: 'key_2' }, path);
    const { servers } = await readCredentials(path);
    expect(Object.keys(servers)).toEqual(['http://127.0.0.1:7480', 'https://caisson.example/api']);
    expect(servers['http://127.0.0.1:7480']!.keyId).toBe('key_2');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(path))).toEqual(['credentials.json']);
  });

  test.each([0o644, 0o640, 0o604, 0o660])('is refused with mode %o, and not replaced', async (mode) => {
    await saveCredential(DEFAULT_URL, value, path);
    chmodSync(path, mode);
    await expect(readCredentials(path)).rejects.toThrow(/chmod 600/);
    await expect(saveCredential(DEFAULT_URL, value, path)).rejects.toThrow(/chmod 600/);
  });

  test.each([
    ['not JSON', '{"servers": csn_dev_secret'],
    ['another form', '{"servers": {"http://x": {"apiKey": 7, "note": "csn_dev_secret"}}}'],
  ])('is refused when it is %s, without quoting it', async (_name, text) => {
    await saveCredential(DEFAULT_URL, value, path);
    writeFileSync(path, text);
    const error = await readCredentials(path).catch((error: unknown) => error as Error);
    expect(error).toBeInstanceOf(Error);
    expect((error as Error).message).not.toContain('csn_dev_secret');
    expect((error as Error).cause).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('one server has one name', () => {
    expect(serverKey('http://LOCALHOST:7480/')).toBe(serverKey('http://127.0.0.1:7480'));
    expect(serverKey('https://a/x')).not.toBe(serverKey('https://a/y'));
  });
});

describe('settings', () => {
  test('the environment comes before the file', async () => {
    await saveCredential(DEFAULT_URL, value, path);
    expect(await readSettings({}, path)).toEqual({ baseUrl: DEFAULT_URL, apiKey: 'csn_dev_secret' });
    const env = { CAISSON_URL: 'https://x', CAISSON_API_KEY: 'csn_live_1' };
    expect(await readSettings(env, path)).toEqual({ baseUrl: 'https://x', apiKey: 'csn_live_1' });
  });

  test('the key of one server is never sent to another', async () => {
    await saveCredential(DEFAULT_URL, value, path);
    await expect(readSettings({ CAISSON_URL: 'https://elsewhere.example' }, path)).rejects.toThrow(/no API key for/);
  });

  test('an address that is none', async () => {
    await expect(readSettings({ CAISSON_URL: 'nonsense' }, path)).rejects.toThrow(/CAISSON_URL="nonsense"/);
  });
});
