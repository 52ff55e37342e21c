import { CaissonError } from '../../shared/protocol/errors.ts';

type Release = () => void | Promise<void>;

/**
 * What must be released, in the reverse order of acquiring it. One failing release never keeps the others from
 * running; the errors come back together. (`AsyncDisposableStack` does the same, but Node 20 does not have it.)
 */
export class Cleanup implements AsyncDisposable {
  #releases: { what: string; release: Release }[] = [];

  add(what: string, release: Release): void {
    this.#releases.push({ what, release });
  }

  /** Runs every release once. @throws {AggregateError} that names each thing which could not be released */
  async run(): Promise<void> {
    const errors: Error[] = [];
    for (let next = this.#releases.pop(); next; next = this.#releases.pop()) {
      try {
        await next.release();
      } catch (error) {
        errors.push(new Error(`could not release ${next.what}: ${messageOf(error)}`, { cause: error }));
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, errors.map((error) => error.message).join('; '));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run();
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Waits for `promise`, but at most `ms` milliseconds.
 * @throws {CaissonError} `unavailable`, saying that `what` took too long
 */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new CaissonError('unavailable', `${what} did not finish within ${ms / 1000} s.`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for `promise` unless `signal` aborts first, which rejects with the signal's reason. */
export async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever is no longer waiting must not turn a later failure into an unhandled rejection.
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}
