import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  RECONNECT_LIMITS,
  backoffMs,
  reconnect,
  type ConnectionEvent,
  type ConnectionState,
} from '../../../shared/client/reconnect.ts';

const closed = (code: number, more: { httpStatus?: number; random?: number } = {}): ConnectionEvent => ({
  type: 'closed',
  code,
  reason: '',
  random: 0,
  ...more,
});
const open: ConnectionState = { phase: 'open', failures: 0 };
const connecting: ConnectionState = { phase: 'connecting', failures: 0 };
const waiting: ConnectionState = { phase: 'waiting', failures: 1, delayMs: 250, why: 'x' };

describe('each event in each phase', () => {
  test.each<[string, ConnectionState, ConnectionEvent, Partial<ConnectionState>, string[]]>([
    ['the first subscription connects', { phase: 'idle' }, { type: 'start' }, { phase: 'connecting' }, ['connect']],
    ['a second start does nothing', open, { type: 'start' }, open, []],
    ['an answered handshake opens', connecting, { type: 'opened' }, { phase: 'open' }, []],
    ['a late open is no open', waiting, { type: 'opened' }, waiting, []],
    ['a cut connection waits', open, closed(1006), { phase: 'waiting', failures: 1, delayMs: 250 }, ['wait']],
    ['a refused one waits too', connecting, closed(1006), { phase: 'waiting', failures: 1 }, ['wait']],
    ['a second close is none', waiting, closed(1006), waiting, []],
    ['the wait ends in an attempt', waiting, { type: 'waited' }, { phase: 'connecting', failures: 1 }, ['connect']],
    ['a late timer is none', open, { type: 'waited' }, open, []],
    ['delivery forgives earlier failures', { phase: 'open', failures: 4 }, { type: 'proved' }, open, []],
    ['silence drops the socket', open, { type: 'silent' }, open, ['drop']],
    ['silence means nothing while waiting', waiting, { type: 'silent' }, waiting, []],
    ['the user ends it', open, { type: 'stop' }, { phase: 'closed', cause: null }, ['drop']],
    ['the user ends a wait', waiting, { type: 'stop' }, { phase: 'closed', cause: null }, ['drop']],
  ])('%s', (_name, state, event, expected, effects) => {
    const step = reconnect(state, event);
    expect(step.state).toMatchObject(expected);
    expect(step.effects.map((effect) => effect.type)).toEqual(effects);
  });
});

describe('what the server closed with', () => {
  test.each<[string, ConnectionEvent, string]>([
    ['4401 unauthorized', closed(4401), 'unauthenticated'],
    ['4403 forbidden', closed(4403), 'forbidden'],
    ['handshake answered with 401', closed(1006, { httpStatus: 401 }), 'unauthenticated'],
    ['handshake answered with 403', closed(1006, { httpStatus: 403 }), 'forbidden'],
  ])('%s is final', (_name, event, code) => {
    const { state, effects } = reconnect(connecting, event);
    expect(state).toMatchObject({ phase: 'closed', cause: { code } });
    expect(effects).toEqual([]);
  });

  test.each<[string, ConnectionEvent, number]>([
    ['1012 restart: soon', closed(1012), 250],
    ['4429 too many: later', closed(4429), 10_000],
    ['handshake answered with 429: later', closed(1006, { httpStatus: 429 }), 10_000],
    ['4408 heartbeat missed: like a cut', closed(4408), 250],
    ['1000 without being asked: like a cut', closed(1000), 250],
    ['handshake answered with 503: like a cut', closed(1006, { httpStatus: 503 }), 250],
  ])('%s', (_name, event, delayMs) => {
    expect(reconnect(open, event).state).toMatchObject({ phase: 'waiting', delayMs });
  });

  test('after too many failures in a row it is given up, with a reason', () => {
    const last: ConnectionState = { phase: 'connecting', failures: RECONNECT_LIMITS.maxFailures };
    expect(reconnect(last, closed(1006)).state).toMatchObject({ phase: 'closed', cause: { code: 'unavailable' } });
  });
});

describe('properties', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const anyEvent = fc.oneof(
    fc.constantFrom('start', 'opened', 'proved', 'waited', 'silent', 'stop').map((type) => ({ type })),
    fc.record({
      type: fc.constant('closed' as const),
      code: fc.constantFrom(1000, 1006, 1012, 4401, 4403, 4408, 4429),
      reason: fc.string(),
      random,
    }),
  );

  test('the delay grows to the cap, is never zero and never above it', () => {
    fc.assert(
      fc.property(fc.nat(5000), random, (failures, random) => {
        const delay = backoffMs(failures, random);
        expect(delay).toBeGreaterThanOrEqual(RECONNECT_LIMITS.baseMs / 2);
        expect(delay).toBeLessThanOrEqual(RECONNECT_LIMITS.capMs);
        expect(backoffMs(failures + 1, random)).toBeGreaterThanOrEqual(delay);
      }),
    );
  });

  test('whatever happens: one attempt for each connecting phase, one timer for each wait, and no way out of closed', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 80 }), (events) => {
        let state: ConnectionState = { phase: 'idle' };
        for (const event of events) {
          const step = reconnect(state, event);
          const entered = step.state !== state;
          const effects = step.effects.map((effect) => effect.type);
          expect(effects.includes('connect')).toBe(entered && step.state.phase === 'connecting');
          expect(effects.includes('wait')).toBe(entered && step.state.phase === 'waiting');
          if (state.phase === 'closed') expect(step).toEqual({ state, effects: [] });
          state = step.state;
        }
      }),
    );
  });
});
