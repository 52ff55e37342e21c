import { describe, expect, test, vi } from 'vitest';
import type { Client } from '../../../../shared/client/client.ts';
import { CaissonError } from '../../../../shared/protocol/errors.ts';
import type { Me } from '../../../../shared/protocol/rest.ts';
import { Session } from '../../../../extension/session/session.ts';

const known = {
  url: 'https://a',
  organization: 'Acme',
  memberId: 'mem_1',
  memberName: 'Ada',
  role: 'member' as const,
  scopes: ['runs:read' as const],
};
const sessionWith = (client: Partial<Client>, refused = vi.fn<(session: Session) => void>()) => ({
  session: new Session(known, client as Client, refused),
  refused,
});

describe('a session', () => {
  test('notices a refused key wherever it is refused, and passes the error on', async () => {
    const { session, refused } = sessionWith({});
    const error = new CaissonError('unauthenticated', 'no');
    await expect(session.call(() => Promise.reject(error))).rejects.toBe(error);
    session.noticed(error);
    expect(refused).toHaveBeenCalledTimes(2);
  });

  test.each(['unavailable', 'forbidden', 'not_found', 'rate_limited'] as const)(
    'a key is not refused by an error of code %s',
    async (code) => {
      const { session, refused } = sessionWith({});
      await expect(session.call(() => Promise.reject(new CaissonError(code, 'no')))).rejects.toThrow('no');
      expect(refused).not.toHaveBeenCalled();
    },
  );

  test('asks who it is once, and again after a failure', async () => {
    const answer = { server: { time: new Date(Date.now() + 90_000).toISOString() } } as Me;
    const me = vi.fn<() => Promise<Me>>().mockRejectedValueOnce(new Error('later')).mockResolvedValue(answer);
    const { session } = sessionWith({ me });
    await expect(session.me()).rejects.toThrow('later');
    expect(await session.me()).toBe(answer);
    expect(await session.me()).toBe(answer);
    expect(me).toHaveBeenCalledTimes(2);
    // The server's clock is a minute and a half ahead; how long the question took is the only doubt.
    expect(Math.round(session.clockOffsetMs / 10_000)).toBe(9);
  });

  test('knows what its key may do', () => {
    const { session } = sessionWith({});
    expect([session.can('runs:read'), session.can('runs:write')]).toEqual([true, false]);
  });
});
