import * as z from 'zod';
import { errorCodes } from './errors.ts';
import { eventEnvelope } from './events.ts';
import { messageInput } from './rest.ts';

/** The WebSocket at `/v1/stream`, subprotocol `caisson.v1`: one JSON text message each way, one union each way. */
const runId = z.string().regex(/^run_[0-9a-z]{26}$/, 'is not a run id');

/** Chosen by the client, to tell its terminals apart. */
const terminalId = z.string().regex(/^[\w-]{1,64}$/, 'must be 1 to 64 of letters, digits, _ and -');
const size = { columns: z.number().int().min(1).max(1000), rows: z.number().int().min(1).max(1000) };

export const clientMessage = z.discriminatedUnion('type', [
  /** Sends every event with `seq > after`, in order, without gaps, and then follows the run live. */
  z.strictObject({ type: z.literal('subscribe'), runId, after: z.number().int().nonnegative().default(0) }),
  z.strictObject({ type: z.literal('unsubscribe'), runId }),
  z.strictObject({ type: z.literal('message'), runId, text: messageInput.shape.text }),
  z.strictObject({ type: z.literal('approve'), runId, approvalId: z.string(), optionId: z.string() }),
  /** Starts a shell in the sandbox. It belongs to this connection, and ends with it. */
  z.strictObject({ type: z.literal('terminal_open'), runId, terminalId, ...size }),
  z.strictObject({ type: z.literal('terminal_input'), terminalId, text: z.string().max(65_536) }),
  z.strictObject({ type: z.literal('terminal_resize'), terminalId, ...size }),
  z.strictObject({ type: z.literal('terminal_close'), terminalId }),
]);
export type ClientMessage = z.infer<typeof clientMessage>;

export const serverMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('event'), event: eventEnvelope }),
  /** Everything that was in the log when the subscription began has been sent, up to `seq`. */
  z.object({ type: z.literal('caught_up'), runId, seq: z.number().int().nonnegative() }),
  /** The reader is too slow for live delivery; the server goes on from the log. Nothing is lost. */
  z.object({ type: z.literal('lagged'), runId, seq: z.number().int().nonnegative() }),
  z.object({ type: z.literal('terminal_opened'), terminalId }),
  z.object({ type: z.literal('terminal_output'), terminalId, text: z.string() }),
  /** The shell has ended (`exitCode`), or could not be started or went with its sandbox (`message`). */
  z.object({
    type: z.literal('terminal_ended'),
    terminalId,
    exitCode: z.number().int().nullable(),
    message: z.string().optional(),
  }),
  z.object({ type: z.literal('error'), code: z.enum(errorCodes), message: z.string(), runId: z.string().optional() }),
]);
export type ServerMessage = z.infer<typeof serverMessage>;

/** Close codes (RFC 6455 section 7.4): 4000-4999 are ours. */
export const CLOSE_CODES = {
  unauthorized: 4401,
  forbidden: 4403,
  heartbeat_missed: 4408,
  too_many: 4429,
  restart: 1012,
} as const;

/** After these a client must not reconnect by itself: only the user can mend it. */
export const UNRECOVERABLE_CLOSE_CODES: ReadonlySet<number> = new Set([
  CLOSE_CODES.unauthorized,
  CLOSE_CODES.forbidden,
]);

/** Milliseconds between two pings of the server; a peer that misses one whole interval is gone. */
export const HEARTBEAT_MS = 20_000;
