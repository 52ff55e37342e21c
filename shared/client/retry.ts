/** Requests that change nothing (or carry an Idempotency-Key) may be repeated; this decides when, and after how long. */
export const MAX_ATTEMPTS = 3;

/** Seconds-long waits are polite; beyond this the caller is told instead of being kept waiting. */
export const MAX_RETRY_DELAY_MS = 30_000;

/** Cut connections and failing proxies are worth one more try; a refused connection or a wrong name is not. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const RETRIED_NETWORK_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'EAI_AGAIN']);

/** What a failed attempt is judged by. */
export type Failure =
  | { readonly kind: 'network'; readonly code: string | undefined }
  | { readonly kind: 'response'; readonly status: number; readonly waitMs: number | undefined };

/**
 * How long a server asks to wait, in milliseconds: `Retry-After` (RFC 9110 section 10.2.3; seconds or a date), else
 * the reset time of `RateLimit` (draft-ietf-httpapi-ratelimit-headers: `t=` seconds; earlier drafts `reset=` and
 * `RateLimit-Reset`).
 */
export function requestedWaitMs(headers: { get(name: string): string | null }, now: number): number | undefined {
  const after = headers.get('retry-after')?.trim();
  if (after) {
    if (/^\d+$/.test(after)) return Number(after) * 1000;
    const date = Date.parse(after);
    if (!Number.isNaN(date)) return Math.max(0, date - now);
  }
  const reset =
    /(?:^|[;,\s])(?:t|reset)=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1] ??
    /^\s*(\d+)\s*$/.exec(headers.get('ratelimit-reset') ?? '')?.[1];
  return reset === undefined ? undefined : Number(reset) * 1000;
}

/**
 * The delay before the next attempt, or undefined where the failure is to be reported.
 * @param attempt how many attempts have failed, from 1
 * @param random in [0, 1): spreads clients that failed together
 */
export function retryDelayMs(failure: Failure, attempt: number, random: number): number | undefined {
  if (attempt >= MAX_ATTEMPTS) return undefined;
  const backoff = 200 * 2 ** attempt * (0.5 + random / 2);
  if (failure.kind === 'network')
    return failure.code !== undefined && RETRIED_NETWORK_CODES.has(failure.code) ? backoff : undefined;
  if (!RETRIED_STATUSES.has(failure.status)) return undefined;
  if (failure.waitMs === undefined) return failure.status === 429 ? undefined : backoff;
  return failure.waitMs > MAX_RETRY_DELAY_MS ? undefined : Math.max(failure.waitMs, backoff);
}
