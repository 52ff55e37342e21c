import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isOwnAddress, lookupLocally, resolvePublicly } from '../../../server/egress/resolve.ts';

const signal = AbortSignal.timeout(10_000);

describe('the two ways to resolve', () => {
  it('the local one knows /etc/hosts', async () => {
    expect(await lookupLocally('localhost', signal)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^(127\.0\.0\.1|::1)$/)]),
    );
  });

  it('a name that cannot exist has no address (RFC 6761)', async () => {
    expect(await lookupLocally('nobody.invalid', signal)).toEqual([]);
  });

  it('the public one stops when it is told to', async () => {
    const stop = AbortSignal.abort(new Error('stopped'));
    await expect(resolvePublicly('example.invalid', stop)).rejects.toThrow('stopped');
  });
});

describe('isOwnAddress', () => {
  it('knows every address of this host', () => {
    const own = Object.values(networkInterfaces()).flatMap((entries = []) => entries.map(({ address }) => address));
    expect(own.length).toBeGreaterThan(0);
    expect(own.filter((address) => !isOwnAddress(address))).toEqual([]);
  });

  it.each(['1.1.1.1', '2606:4700::1111', 'nonsense'])('%s is somebody else’s', (address) => {
    expect(isOwnAddress(address)).toBe(false);
  });
});
