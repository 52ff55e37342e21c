import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { StreamTickets } from '../../../server/auth/tickets.ts';

const secret = Buffer.alloc(32, 7);

function ticketsAt(start: string) {
  const time = { now: new Date(start) };
  return { time, tickets: new StreamTickets(secret, { now: () => time.now }) };
}

describe('a stream ticket', () => {
  test('works once', () => {
    const { tickets } = ticketsAt('2026-01-01T00:00:00Z');
    const { ticket } = tickets.issue('key_a');
    expect(tickets.redeem(ticket)).toBe('key_a');
    expect(tickets.redeem(ticket)).toBeUndefined();
  });

  test('expires after 30 s', () => {
    const { time, tickets } = ticketsAt('2026-01-01T00:00:00Z');
    const { ticket } = tickets.issue('key_a');
    time.now = new Date('2026-01-01T00:00:31Z');
    expect(tickets.redeem(ticket)).toBeUndefined();
  });

  test.each([
    ['garbage', 'garbage'],
    ['signed by somebody else', jwt.sign({ sub: 'key_a', jti: 'x', exp: 4e9, aud: 'stream' }, 'other')],
    ['not signed', jwt.sign({ sub: 'key_a', jti: 'x', exp: 4e9, aud: 'stream' }, null, { algorithm: 'none' })],
    ['for something else', jwt.sign({ sub: 'key_a', jti: 'x', exp: 4e9, aud: 'reset' }, secret)],
    ['without an id', jwt.sign({ sub: 'key_a', exp: 4e9, aud: 'stream' }, secret)],
  ])('is refused when it is %s', (_what, ticket) => {
    expect(ticketsAt('2026-01-01T00:00:00Z').tickets.redeem(ticket)).toBeUndefined();
  });
});
