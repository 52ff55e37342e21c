import { expect, test } from 'vitest';
import { describeSandboxed } from '../support/sandboxed.ts';
import { finished, leftovers, ofType, said, startTestServer } from '../support/server.ts';

/** Hosts without gVisor: refused, unless the operator says so out loud; then every run says so too. */
describeSandboxed('a runtime that is not gVisor', () => {
  test('is refused when the server starts', async () => {
    await expect(startTestServer({ CAISSON_RUNTIME: 'runc' })).rejects.toThrow('not gVisor');
  });

  test('is used with --allow-unsandboxed, and recorded in the run', async () => {
    const caisson = await startTestServer({
      CAISSON_RUNTIME: 'runc',
      CAISSON_ALLOW_UNSANDBOXED: '1',
      CAISSON_LOG_LEVEL: 'silent',
    });
    try {
      const { id } = await caisson.client.runs.create({
        prompt: 'id -u; curl -s -o /dev/null -w "%{http_code}\\n" http://10.0.0.1/',
      });
      const { run, events } = await finished(caisson.client, id);
      expect(run.failure).toBeUndefined();
      expect(run).toMatchObject({ state: 'succeeded', sandboxed: false });
      expect(said(events)).toBe('10001\n403\n');
      expect(ofType(events, 'run.created')[0]?.data.sandboxed).toBe(false);
      expect(ofType(events, 'sandbox.ready')[0]?.data.kernel).not.toMatch(/gvisor/i);
      expect(await leftovers(caisson)).toEqual([]);
    } finally {
      await caisson.close();
    }
  });
});
