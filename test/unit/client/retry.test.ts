import { describe, expect, test } from 'vitest';
import { MAX_ATTEMPTS, requestedWaitMs, retryDelayMs, type Failure } from '../../../shared/client/retry.ts';

const NOW = Date.parse('2025-01-01T00:00:00Z');

describe('how long a server asks to wait', () => {
  test.each<[string, Record<string, string>, number | undefined]>([
    ['nothing said', {}, undefined],
    ['seconds', { 'retry-after': '7' }, 7000],
    ['a date', { 'retry-after': 'Wed, 01 Jan 2025 00:00:05 GMT' }, 5000],
    ['a date in the past', { 'retry-after': 'Tue, 31 Dec 2024 00:00:00 GMT' }, 0],
    ['words', { 'retry-after': 'soon' }, undefined],
    ['RateLimit, structured', { ratelimit: '"default";r=0;t=12' }, 12_000],
    ['RateLimit, list', { ratelimit: 'limit=100, remaining=0, reset=34' }, 34_000],
    ['RateLimit-Reset', { 'ratelimit-reset': '3' }, 3000],
    ['Retry-After before RateLimit', { 'retry-after': '1', ratelimit: '"default";r=0;t=12' }, 1000],
  ])('%s', (_name, headers, expected) => {
    expect(requestedWaitMs(new Headers(headers), NOW)).toBe(expected);
  });
});

describe('whether a failed request is repeated', () => {
  const response = (status: number, waitMs?: number): Failure => ({ kind: 'response', status, waitMs });
  test.each<[string, Failure, number, number | undefined]>([
    ['limited, told when', response(429, 2000), 1, 2000],
    ['limited, told to wait too long', response(429, 900_000), 1, undefined],
    ['limited, not told', response(429), 1, undefined],
    ['unavailable for a moment', response(503), 1, 200],
    ['a failing proxy, again', response(502), 2, 400],
    ['the last attempt', response(503, 100), MAX_ATTEMPTS, undefined],
    ['a bug in the server', response(500), 1, undefined],
    ['a mistake of ours', response(400, 1), 1, undefined],
    ['a cut connection', { kind: 'network', code: 'ECONNRESET' }, 1, 200],
    ['nobody listens', { kind: 'network', code: 'ECONNREFUSED' }, 1, undefined],
    ['no answer in time', { kind: 'network', code: 'TIMEOUT' }, 1, undefined],
    ['a failure without a name', { kind: 'network', code: undefined }, 1, undefined],
  ])('%s', (_name, failure, attempt, expected) => {
    expect(retryDelayMs(failure, attempt, 0)).toBe(expected);
  });
});
