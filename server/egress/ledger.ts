import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventData, NewEvent } from '../../shared/protocol/events.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import type { EgressLimits } from './limits.ts';

/** The log did not take a decision; the gateway is shut and nothing passes any more. */
export class EgressShut extends Error {
  override readonly name = 'EgressShut';
}

type Fact = EventData<'egress.allowed'>;

interface Live {
  readonly socket: Socket | undefined;
  readonly startedAt: number;
}

export interface LedgerOptions {
  readonly record: (event: NewEvent) => Promise<void>;
  /** Called once, at the first event that the log did not take. */
  readonly onFailure: (error: Error) => void;
  readonly limits: EgressLimits;
  readonly logger: Logger;
  /** Aborted when the gateway closes: delays end, events become best effort. */
  readonly signal: AbortSignal;
}

/**
 * Everything that the gateway says to the run's log, and the counting of bytes. A decision is durable when its method
 * resolves; where the log fails, it rejects and so does every later one (*fail closed*).
 *
 * A hostile agent may attempt without end, and every attempt is to be in the log: none is dropped or sampled. Instead
 * attempts are made slow. Each waits for its own durable event, at most `maxConnections` wait at a time, and past
 * `freeDenials` each further denial is held for `denialDelayMs` (five times that past ten times as many). By default
 * that is at most 128, then 26, denials a second for one run, which the log's group commit does not notice; the bound
 * on events per run ends it for good.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #live = new Map<string, Live>();
  #sentBytes = 0;
  #receivedBytes = 0;
  #connections = 0;
  #denials = 0;
  #failure: Error | undefined;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** An id for one attempt, unique in the run. */
  nextConnection(): string {
    this.#connections += 1;
    return `c${this.#connections}`;
  }

  /** @throws {EgressShut} when the decision is not durable; then nothing may be sent */
  async allowed(fact: Fact): Promise<void> {
    this.#live.set(fact.connection, { socket: undefined, startedAt: performance.now() });
    try {
      await this.#write({ type: 'egress.allowed', actor: 'gateway', data: fact });
    } catch (error) {
      this.#live.delete(fact.connection);
      throw error;
    }
  }

  /** @throws {EgressShut} when the decision is not durable */
  async denied(fact: Fact): Promise<void> {
    const { limits, signal } = this.#options;
    this.#denials += 1;
    if (this.#denials > limits.freeDenials) {
      const factor = this.#denials > 10 * limits.freeDenials ? 5 : 1;
      // On close the wait is cut short, and the attempt is still recorded.
      await delay(limits.denialDelayMs * factor, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
    await this.#write({ type: 'egress.denied', actor: 'gateway', data: fact });
  }

  /** From now on the socket's bytes count, until `closed`. */
  carry(connection: string, socket: Socket): void {
    const live = this.#live.get(connection);
    if (live) this.#live.set(connection, { ...live, socket });
  }

  /** The end of an allowed connection. Calling it again does nothing. */
  async closed(connection: string, error?: string): Promise<void> {
    const live = this.#live.get(connection);
    if (!live) return;
    this.#live.delete(connection);
    const { sentBytes, receivedBytes } = count(live.socket);
    this.#sentBytes += sentBytes;
    this.#receivedBytes += receivedBytes;
    const ms = Math.round(performance.now() - live.startedAt);
    const data = { connection, sentBytes, receivedBytes, ms, ...(error === undefined ? {} : { error }) };
    try {
      await this.#write({ type: 'egress.closed', actor: 'gateway', data });
    } catch (failure) {
      // The connection is over already; `#write` has shut the gateway, or it is closing anyway.
      this.#options.logger.warn(
        { connection, reason: messageOf(failure) },
        'the end of a connection is not in the log',
      );
    }
  }

  /** Bytes out of and into the sandbox, connections that are still open included. */
  totals(): { readonly sentBytes: number; readonly receivedBytes: number } {
    let { sentBytes, receivedBytes } = { sentBytes: this.#sentBytes, receivedBytes: this.#receivedBytes };
    for (const { socket } of this.#live.values()) {
      const counted = count(socket);
      sentBytes += counted.sentBytes;
      receivedBytes += counted.receivedBytes;
    }
    return { sentBytes, receivedBytes };
  }

  async #write(event: NewEvent): Promise<void> {
    const { record, limits, signal, onFailure } = this.#options;
    if (this.#failure) throw new EgressShut('The egress gateway is shut: the log failed.', { cause: this.#failure });
    try {
      await withDeadline(record(event), limits.recordTimeoutMs, 'Recording an egress event');
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (!this.#failure) {
        this.#failure = failure;
        // While closing, the run's log may be complete already; that is not a failure of the run.
        if (!signal.aborted) onFailure(failure);
      }
      throw new EgressShut(`The decision could not be recorded: ${failure.message}`, { cause: failure });
    }
  }
}

/** Node counts what is still queued as written; what never left does not count here. */
function count(socket: Socket | undefined): { sentBytes: number; receivedBytes: number } {
  if (!socket) return { sentBytes: 0, receivedBytes: 0 };
  return { sentBytes: Math.max(0, socket.bytesWritten - socket.writableLength), receivedBytes: socket.bytesRead };
}
