import { CLOSE_CODES, UNRECOVERABLE_CLOSE_CODES } from '../protocol/stream.ts';

/**
 * Reconnection as a state machine without clocks or sockets: what happened goes in, the next state and what to do come
 * out. The stream connection carries the effects out.
 */
export type ConnectionState =
  | { readonly phase: 'idle' }
  /** `failures` counts the attempts that failed in a row. */
  | { readonly phase: 'connecting'; readonly failures: number }
  | { readonly phase: 'open'; readonly failures: number }
  | { readonly phase: 'waiting'; readonly failures: number; readonly delayMs: number; readonly why: string }
  | { readonly phase: 'closed'; readonly cause: CloseCause | null };

/** Why a connection ended for good; null in the state where the user ended it. */
export interface CloseCause {
  readonly code: 'unauthenticated' | 'forbidden' | 'unavailable';
  readonly message: string;
}

export type ConnectionEvent =
  | { readonly type: 'start' }
  | { readonly type: 'opened' }
  /** The server delivered something: the connection works, so the next trouble starts counting from zero. */
  | { readonly type: 'proved' }
  | {
      readonly type: 'closed';
      readonly code: number;
      readonly reason: string;
      readonly httpStatus?: number;
      /** In [0, 1): spreads the clients of a server that restarts. */
      readonly random: number;
    }
  | { readonly type: 'waited' }
  | { readonly type: 'silent' }
  | { readonly type: 'stop' };

export type Effect =
  { readonly type: 'connect' } | { readonly type: 'wait'; readonly ms: number } | { readonly type: 'drop' };

export interface Step {
  readonly state: ConnectionState;
  readonly effects: readonly Effect[];
}

export interface ReconnectLimits {
  readonly baseMs: number;
  readonly capMs: number;
  /** Attempts that may fail in a row before the connection is given up. */
  readonly maxFailures: number;
}

export const RECONNECT_LIMITS: ReconnectLimits = { baseMs: 500, capMs: 30_000, maxFailures: 20 };

/** A restarting server is back soon; a server that has too many connections needs to be left alone for a while. */
const FIXED_DELAY_MS: ReadonlyMap<number, number> = new Map([
  [CLOSE_CODES.restart, 250],
  [CLOSE_CODES.too_many, 10_000],
]);

/** A handshake that was answered with an HTTP error never got a close code; these are its equivalents. */
const CLOSE_CODE_BY_STATUS: ReadonlyMap<number, number> = new Map([
  [401, CLOSE_CODES.unauthorized],
  [403, CLOSE_CODES.forbidden],
  [429, CLOSE_CODES.too_many],
]);

const CAUSES: Readonly<Record<number, CloseCause>> = {
  [CLOSE_CODES.unauthorized]: {
    code: 'unauthenticated',
    message: 'The server no longer accepts the API key (it may be revoked or expired). Set a valid CAISSON_API_KEY.',
  },
  [CLOSE_CODES.forbidden]: {
    code: 'forbidden',
    message: 'The API key may not follow runs. Use a key with the scope runs:read.',
  },
};

/**
 * Exponential backoff with "equal jitter": half of the delay is fixed, so that there always is one, and half is random
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function backoffMs(failures: number, random: number, limits: ReconnectLimits = RECONNECT_LIMITS): number {
  const full = Math.min(limits.capMs, limits.baseMs * 2 ** Math.min(failures, 30));
  return Math.round(full / 2 + (random * full) / 2);
}

const stay = (state: ConnectionState): Step => ({ state, effects: [] });

function onClosed(
  failures: number,
  event: Extract<ConnectionEvent, { type: 'closed' }>,
  limits: ReconnectLimits,
): Step {
  const code = CLOSE_CODE_BY_STATUS.get(event.httpStatus ?? 0) ?? event.code;
  if (UNRECOVERABLE_CLOSE_CODES.has(code)) return stay({ phase: 'closed', cause: CAUSES[code] ?? null });
  if (failures >= limits.maxFailures) {
    const message = `The event stream could not be restored in ${failures} attempts. Check that the server runs.`;
    return stay({ phase: 'closed', cause: { code: 'unavailable', message } });
  }
  const fixed = FIXED_DELAY_MS.get(code);
  // The fixed delay is for the first attempt; if it did not help, something else is the matter.
  const delayMs =
    fixed === undefined || failures > 0
      ? backoffMs(failures, event.random, limits)
      : Math.round(fixed * (1 + event.random));
  const why =
    event.httpStatus === undefined
      ? event.reason || (code === 1006 ? 'the connection was cut' : `close code ${code}`)
      : `HTTP status ${event.httpStatus}`;
  const state = { phase: 'waiting', failures: failures + 1, delayMs, why } as const;
  return { state, effects: [{ type: 'wait', ms: delayMs }] };
}

type Handler<T extends ConnectionEvent['type']> = (
  state: Exclude<ConnectionState, { phase: 'closed' }>,
  event: Extract<ConnectionEvent, { type: T }>,
  limits: ReconnectLimits,
) => Step;

const failuresOf = (state: ConnectionState) => ('failures' in state ? state.failures : 0);

const connecting = (failures: number): Step => ({
  state: { phase: 'connecting', failures },
  effects: [{ type: 'connect' }],
});

/** An event that does not fit the phase (a late timer, a second close) changes nothing. */
const HANDLERS: { readonly [T in ConnectionEvent['type']]: Handler<T> } = {
  start: (state) => (state.phase === 'idle' ? connecting(0) : stay(state)),
  opened: (state) => stay(state.phase === 'connecting' ? { phase: 'open', failures: state.failures } : state),
  proved: (state) => stay(state.phase === 'open' && state.failures > 0 ? { phase: 'open', failures: 0 } : state),
  closed: (state, event, limits) =>
    state.phase === 'connecting' || state.phase === 'open' ? onClosed(failuresOf(state), event, limits) : stay(state),
  waited: (state) => (state.phase === 'waiting' ? connecting(state.failures) : stay(state)),
  // Dropping the socket produces the `closed` event that starts the wait.
  silent: (state) => (state.phase === 'open' ? { state, effects: [{ type: 'drop' }] } : stay(state)),
  stop: () => ({ state: { phase: 'closed', cause: null }, effects: [{ type: 'drop' }] }),
};

/** The next state, and what to do. Nothing leads out of `closed`. */
export function reconnect(
  state: ConnectionState,
  event: ConnectionEvent,
  limits: ReconnectLimits = RECONNECT_LIMITS,
): Step {
  if (state.phase === 'closed') return stay(state);
  // An indexed access type does not narrow with its key; the handler is the one for this event's type.
  return (HANDLERS[event.type] as Handler<ConnectionEvent['type']>)(state, event, limits);
}
