import jwt from 'jsonwebtoken';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../base/clock.ts';

/**
 * Single-use stream tickets (RFC 7519, HS256): a browser cannot set a header on a WebSocket, and an API key in a URL
 * would end up in access logs. A ticket names the key that asked for it, lives for 30 s and works once.
 */
export const TICKET_SECONDS = 30;

const claims = z.object({ sub: z.string(), jti: z.string(), exp: z.number() });

export class StreamTickets {
  readonly #secret: Buffer;
  readonly #clock: Clock;
  /** Tickets that were used, until they expire: 30 s of them is all that there ever are. */
  readonly #used = new Map<string, number>();

  constructor(secret: Buffer, clock: Clock) {
    this.#secret = secret;
    this.#clock = clock;
  }

  issue(keyId: string): { ticket: string; expiresAt: string } {
    const now = Math.floor(this.#clock.now().getTime() / 1000);
    const payload = { sub: keyId, jti: randomUUID(), iat: now, exp: now + TICKET_SECONDS, aud: 'stream' };
    return {
      ticket: jwt.sign(payload, this.#secret, { algorithm: 'HS256' }),
      expiresAt: new Date(payload.exp * 1000).toISOString(),
    };
  }

  /** @returns the id of the key behind a ticket, once; undefined for anything that is not a fresh ticket of ours */
  redeem(ticket: string): string | undefined {
    const now = this.#clock.now().getTime();
    for (const [id, expires] of this.#used) if (expires <= now) this.#used.delete(id);
    let verified: unknown;
    try {
      verified = jwt.verify(ticket, this.#secret, {
        algorithms: ['HS256'],
        audience: 'stream',
        clockTimestamp: Math.floor(now / 1000),
      });
    } catch (error) {
      if (error instanceof jwt.JsonWebTokenError) return undefined;
      throw error;
    }
    const parsed = claims.safeParse(verified);
    if (!parsed.success || this.#used.has(parsed.data.jti)) return undefined;
    this.#used.set(parsed.data.jti, parsed.data.exp * 1000);
    return parsed.data.sub;
  }
}
