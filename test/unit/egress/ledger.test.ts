import { expect, it } from 'vitest';
import { createLogger } from '../../../server/base/logger.ts';
import { EgressShut, Ledger } from '../../../server/egress/ledger.ts';
import { DEFAULT_LIMITS } from '../../../server/egress/limits.ts';

const fact = { protocol: 'connect', host: 'example.com', port: 443, rule: 'r', reason: 'Because.' } as const;

it('after the first event that was not taken, nothing is allowed any more, and the failure is told once', async () => {
  const failures: Error[] = [];
  let broken = true;
  const taken: string[] = [];
  const ledger = new Ledger({
    record: async (event) => {
      if (broken) throw new Error('disk full');
      taken.push(event.type);
    },
    onFailure: (error) => failures.push(error),
    limits: DEFAULT_LIMITS,
    logger: createLogger('silent'),
    signal: new AbortController().signal,
  });
  await expect(ledger.denied({ ...fact, connection: 'c1' })).rejects.toThrow(EgressShut);
  broken = false;
  await expect(ledger.allowed({ ...fact, connection: 'c2' })).rejects.toThrow(EgressShut);
  await ledger.closed('c2');
  expect(taken).toEqual([]);
  expect(failures.map(({ message }) => message)).toEqual(['disk full']);
});
