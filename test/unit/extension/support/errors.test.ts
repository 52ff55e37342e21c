import { describe, expect, test } from 'vitest';
import { networkError } from '../../../../shared/client/network-error.ts';
import { CaissonError } from '../../../../shared/protocol/errors.ts';
import { connectionProblem, explainError, isCancellation } from '../../../../extension/support/errors.ts';
import { english } from '../../../../extension/support/localizer.ts';

const failedFetch = (code: string) =>
  networkError(
    'https://host/v1/me',
    Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('x'), { code }) }),
  );

describe('a server that cannot be reached', () => {
  test.each([
    ['ECONNREFUSED', 'refused', /caisson serve/],
    ['ENOTFOUND', 'unknown_host', /host name/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate', /certificates of the operating system/],
    ['CERT_HAS_EXPIRED', 'certificate_time', /clock/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate_name', /another name/],
    ['EPROTO', 'not_tls', /http:\/\//],
    ['TIMEOUT', 'timeout', /in time/],
    ['ECONNRESET', 'cut', /cut/],
  ])('%s is explained for someone in VS Code', (code, problem, sentence) => {
    const error = failedFetch(code);
    expect(connectionProblem(error)).toBe(problem);
    const text = explainError(error, english);
    expect(text).toMatch(sentence);
    // There are no environment variables of ours in VS Code.
    expect(text).not.toContain('CAISSON_');
  });
});

test('what the server says is passed on as it is', () => {
  expect(explainError(new CaissonError('conflict', 'The run has ended.'), english)).toBe('The run has ended.');
});

test('a refused key leads to signing in', () => {
  expect(explainError(new CaissonError('unauthenticated', 'Set CAISSON_API_KEY'), english)).toMatch(/Sign in again/);
});

test('giving up on purpose is no error', () => {
  expect(isCancellation(new DOMException('aborted', 'AbortError'))).toBe(true);
  expect(isCancellation(new Error('aborted'))).toBe(false);
});
