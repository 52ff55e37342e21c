import { connect, type Socket } from 'node:net';
import { messageOf } from '../base/lifecycle.ts';

/** RFC 8305 §5: how long an attempt stands alone before the next address is tried beside it. */
const ATTEMPT_DELAY_MS = 250;
const MAX_ATTEMPTS = 6;

/**
 * Connects to the first of the checked addresses that answers (a plain form of Happy Eyeballs, RFC 8305). Only
 * addresses are ever given to the operating system, never a name, so what was checked is what is dialed.
 * @throws {Error} when none answered within `timeoutMs`, or `signal` aborted
 */
export async function dial(
  addresses: readonly string[],
  port: number,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Socket> {
  signal.throwIfAborted();
  const candidates = interleave(addresses).slice(0, MAX_ATTEMPTS);
  return new Promise<Socket>((resolve, reject) => {
    const attempts = new Set<Socket>();
    const errors: string[] = [];
    let next = 0;
    let stagger: NodeJS.Timeout | undefined;
    const settle = (): void => {
      clearTimeout(deadline);
      clearTimeout(stagger);
      signal.removeEventListener('abort', onAbort);
      for (const socket of attempts) socket.destroy();
    };
    const fail = (error: Error): void => {
      settle();
      reject(error);
    };
    const onAbort = () => fail(signal.reason as Error);
    const deadline = setTimeout(() => fail(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
    signal.addEventListener('abort', onAbort, { once: true });

    const attempt = (): void => {
      clearTimeout(stagger);
      const address = candidates[next++];
      if (address === undefined) return;
      // Half-open: what one side ends, the other may still answer (a tunnel carries TCP, RFC 9110 §9.3.6).
      const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
      attempts.add(socket);
      socket.once('connect', () => {
        attempts.delete(socket);
        socket.removeAllListeners('error');
        settle();
        resolve(socket);
      });
      socket.on('error', (error) => {
        attempts.delete(socket);
        errors.push(messageOf(error));
        if (next < candidates.length) attempt();
        else if (attempts.size === 0) fail(new Error(errors.join('; ')));
      });
      if (next < candidates.length) stagger = setTimeout(attempt, ATTEMPT_DELAY_MS);
    };
    attempt();
  });
}

/** RFC 8305 §4: alternate the families, so that a broken one costs one delay and not one per address. */
function interleave(addresses: readonly string[]): string[] {
  const v6 = addresses.filter((address) => address.includes(':'));
  const v4 = addresses.filter((address) => !address.includes(':'));
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, i) => [v4[i], v6[i]])
    .flat()
    .filter((address) => address !== undefined);
}
