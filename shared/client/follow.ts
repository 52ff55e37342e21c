import { createChainVerifier, type ChainVerifier } from '../audit/verify.ts';
import type { Sha256 } from '../audit/chain.ts';
import { CaissonError } from '../protocol/errors.ts';
import { isFinal } from '../run/state.ts';
import { isKnownEvent, originalEvent, type ClientEvent } from './event.ts';
import { AsyncQueue } from './queue.ts';
import type { ConnectionState } from './reconnect.ts';
import type { runsApi } from './runs.ts';
import type { RunStream, Subscription } from './stream.ts';

export interface FollowOptions {
  /** Events with a greater `seq`. Default 0: from the beginning. */
  readonly after?: number;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
  readonly onStatus?: (state: ConnectionState) => void;
  /** Whether the iteration ends when the run has. Default true. */
  readonly untilFinal?: boolean;
  /** Checks the hash chain of everything that arrives, and fails at the first event that does not follow. */
  readonly verify?: boolean;
  readonly sha256?: Sha256;
}

/** A loop that falls this far behind is unsubscribed until it has caught up, so that memory stays bounded. */
const MAX_QUEUED = 5_000;

type Item = { readonly event: ClientEvent } | { readonly caughtUpAt: number };

/** A verifier that continues at `after`; where that is not the beginning, the hash there is taken from the server. */
async function verifierFrom(
  runs: ReturnType<typeof runsApi>,
  runId: string,
  { after = 0, signal, sha256 }: FollowOptions,
): Promise<ChainVerifier> {
  const options = { runId, ...(sha256 && { sha256 }) };
  if (after === 0) return createChainVerifier(options);
  const { items } = await runs.events(runId, { after: after - 1, limit: 1, signal });
  const last = items[0];
  if (last?.seq !== after) throw new CaissonError('not_found', `Run ${runId} has no event ${after} to continue from.`);
  return createChainVerifier({ ...options, from: { seq: after, hash: last.hash } });
}

/** Follows one run over a shared stream: every event once, in order, across disconnections. */
export async function* followRun(
  stream: RunStream,
  runs: ReturnType<typeof runsApi>,
  runId: string,
  options: FollowOptions = {},
): AsyncGenerator<ClientEvent, void, undefined> {
  const { signal, untilFinal = true } = options;
  if (signal?.aborted) return;
  const verifier = options.verify ? await verifierFrom(runs, runId, options) : undefined;
  const queue = new AsyncQueue<Item>();
  let queued = options.after ?? 0;
  let delivered = queued;
  let subscription: Subscription | undefined;
  const open = () => {
    subscription = stream.subscribe(runId, queued, {
      event: (event) => {
        queued = event.seq;
        queue.push({ event });
        if (queue.size < MAX_QUEUED) return;
        subscription?.close();
        subscription = undefined;
      },
      caughtUp: (seq) => queue.push({ caughtUpAt: seq }),
      ended: (error) => queue.end(error),
    });
  };
  const stopStatus = options.onStatus && stream.onStatus(options.onStatus);
  const stop = () => queue.end();
  signal?.addEventListener('abort', stop, { once: true });
  let caughtUp = false;
  let final = false;
  try {
    open();
    for await (const item of queue.drain()) {
      if (signal?.aborted) return;
      if ('event' in item) {
        const { event } = item;
        if (verifier) check(verifier, event);
        yield event;
        delivered = event.seq;
        if (isKnownEvent(event) && event.type === 'run.state') final = isFinal(event.data.to);
      } else {
        caughtUp = true;
        final ||= untilFinal && (await hasEnded(runs, runId, delivered, signal));
      }
      // While the log is still being read, facts that were recorded after the end (the destroyed sandbox) follow.
      if (untilFinal && final && caughtUp) return;
      if (!subscription && delivered === queued) open();
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
    subscription?.close();
    stopStatus?.();
  }
}

/** Whoever begins after a run's last event would otherwise wait for a state change that has already happened. */
async function hasEnded(
  runs: ReturnType<typeof runsApi>,
  runId: string,
  delivered: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const run = await runs.get(runId, { signal });
  return isFinal(run.state) && run.lastSeq <= delivered;
}

function check(verifier: ChainVerifier, event: ClientEvent): void {
  const result = verifier.add(originalEvent(event));
  if (result.ok) return;
  throw new CaissonError(
    'conflict',
    `The log of run ${event.runId} does not verify at event ${result.seq}: ${result.message}`,
  );
}
