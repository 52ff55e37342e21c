import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkClock, checkDataDir, checkNode } from '../../../server/setup/doctor/host.ts';

describe('the doctor', () => {
  it.each([
    ['20.18.3', false],
    ['20.19.0', true],
    ['22.1.0', true],
    ['18.20.0', false],
  ])('judges Node %s: %s', (version, ok) => {
    expect(checkNode(version).ok).toBe(ok);
  });

  const now = new Date('2026-05-01T12:00:00Z');
  it.each([
    ['a clock that was never set', new Date(0), undefined, false],
    ['an engine that agrees', now, new Date(now.getTime() + 900), true],
    ['an engine an hour off', now, new Date(now.getTime() - 3_600_000), false],
    ['no engine to compare with', now, undefined, true],
  ])('judges %s', (_, time, engineTime, ok) => {
    expect(checkClock(time, engineTime).ok).toBe(ok);
  });

  it('wants the data directory private, and says how', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'csn-'));
    try {
      expect(await checkDataDir(folder)).toMatchObject({ ok: true });
      await chmod(folder, 0o755);
      expect(await checkDataDir(folder)).toMatchObject({ ok: false, mend: `chmod 700 ${folder}` });
      expect(await checkDataDir(join(folder, 'not', 'yet'))).toMatchObject({ ok: true });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
