import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { extend, entryOf, GENESIS } from '../../../shared/audit/chain.ts';
import { createClient, type Client } from '../../../shared/client/client.ts';
import { openWsSocket } from '../../../shared/client/ws-socket.ts';
import type { FollowOptions } from '../../../shared/client/follow.ts';
import type { RunEvent } from '../../../shared/protocol/events.ts';
import type { ClientMessage } from '../../../shared/protocol/stream.ts';
import { sendJson, startApiDouble, type ApiDouble, type Peer } from '../../support/api-double.ts';
import { RUN_ID, runEvent } from '../../support/run-events.ts';

const LIMITS = { baseMs: 4, capMs: 20, maxFailures: 3 };
const message = (seq: number) => runEvent(seq, 'agent.message', { text: `line ${seq}` });
const ended = (seq: number) => runEvent(seq, 'run.state', { from: 'running', to: 'succeeded' });

let double: ApiDouble;
let client: Client;
/** The run's log; what a subscription sends is read from here, as the real server does. */
let log: RunEvent[];

beforeEach(async () => {
  double = await startApiDouble();
  client = createClient({
    baseUrl: double.baseUrl,
    apiKey: 'csn_dev_1',
    openSocket: openWsSocket,
    reconnectLimits: LIMITS,
  });
  log = [];
  double.onMessage = serveLog;
  double.reply = (_request, response) =>
    sendJson(response, 200, {
      id: RUN_ID,
      title: '',
      prompt: '',
      state: log.at(-1)?.type === 'run.state' ? 'succeeded' : 'running',
      agent: { id: '', name: '' },
      environment: { id: '', name: '' },
      source: { kind: 'none' },
      createdBy: { memberId: '', keyId: '' },
      createdAt: '2025-01-01T00:00:00.000Z',
      lastSeq: log.length,
      sandboxed: true,
      interactive: false,
      pendingApprovals: [],
      egress: { allowed: 0, denied: 0 },
      processes: 0,
    });
});
afterEach(async () => {
  client.close();
  await double[Symbol.asyncDispose]();
});

function serveLog(peer: Peer, received: ClientMessage): void {
  if (received.type !== 'subscribe') return;
  for (const event of log) if (event.seq > received.after) peer.send({ type: 'event', event });
  peer.send({ type: 'caught_up', runId: received.runId, seq: log.length });
}

const subscriptions = () =>
  double.peers.map((peer) => peer.received.flatMap((m) => (m.type === 'subscribe' ? [m.after] : [])));

async function collect(options?: FollowOptions): Promise<number[]> {
  const seqs: number[] = [];
  for await (const event of client.follow(RUN_ID, options)) seqs.push(event.seq);
  return seqs;
}

describe('following a run', () => {
  test('begins after the given event and ends with the run, late facts included', async () => {
    log = [message(1), message(2), ended(3), runEvent(4, 'sandbox.destroyed')];
    expect(await collect({ after: 1 })).toEqual([2, 3, 4]);
    expect(double.requests[0]!.headers.authorization).toBe('Bearer csn_dev_1');
  });

  test('a run that had already ended is not waited for', async () => {
    log = [message(1), ended(2)];
    expect(await collect({ after: 2 })).toEqual([]);
  });

  test('live events follow, and the first after a cut connection is the next one', async () => {
    log = [message(1)];
    const seqs = collect();
    await vi.waitFor(() => expect(subscriptions()).toEqual([[0]]));
    log.push(message(2));
    double.peers[0]!.send({ type: 'event', event: log[1]! });
    await vi.waitFor(() => expect(client.stream().state.phase).toBe('open'));
    double.peers[0]!.socket.close(1012, 'restart');
    log.push(message(3), ended(4));
    expect(await seqs).toEqual([1, 2, 3, 4]);
    expect(subscriptions()).toEqual([[0], [2]]);
  });

  test('duplicates are dropped, a gap is asked for again', async () => {
    const whole = [message(1), message(2), message(3), ended(4)];
    let served = 0;
    double.onMessage = (peer, received) => {
      if (received.type !== 'subscribe') return;
      if (served++ > 0) return serveLog(peer, received);
      log = whole;
      for (const event of [whole[0]!, whole[0]!, whole[2]!]) peer.send({ type: 'event', event });
    };
    expect(await collect()).toEqual([1, 2, 3, 4]);
    expect(subscriptions()).toEqual([[0, 1]]);
  });

  test('a server that claims to have sent everything, and has not, is asked again', async () => {
    log = [message(1), ended(2)];
    let served = 0;
    double.onMessage = (peer, received) => {
      if (received.type !== 'subscribe') return;
      if (served++ > 0) return serveLog(peer, received);
      peer.send({ type: 'event', event: log[0]! });
      peer.send({ type: 'caught_up', runId: RUN_ID, seq: 2 });
    };
    expect(await collect()).toEqual([1, 2]);
  });

  test('two readers of one run share the connection and miss nothing, wherever they began', async () => {
    log = [message(1), message(2)];
    const late = collect({ after: 1 });
    await vi.waitFor(() => expect(subscriptions()).toEqual([[1]]));
    const early = collect({ after: 0 });
    await vi.waitFor(() => expect(subscriptions()).toEqual([[1, 0]]));
    log.push(ended(3));
    double.peers[0]!.send({ type: 'event', event: log[2]! });
    expect(await late).toEqual([2, 3]);
    expect(await early).toEqual([1, 2, 3]);
    expect(double.peers).toHaveLength(1);
  });

  test('ten thousand events reach a loop that is slow, through one bounded queue', async () => {
    log = Array.from({ length: 10_000 }, (_, i) => message(i + 1));
    log.push(ended(10_001));
    let n = 0;
    for await (const event of client.follow(RUN_ID)) {
      expect(event.seq).toBe(++n);
      // The queue fills behind the first event, and the only subscription is given up until it is empty again.
      if (n === 1) await vi.waitFor(() => expect(client.stream().state.phase).toBe('closed'));
    }
    expect(n).toBe(10_001);
    expect(subscriptions().flat().length).toBeGreaterThan(1);
  });

  test('an abort ends it without an error, and the connection with it', async () => {
    const abort = new AbortController();
    const seqs = collect({ signal: abort.signal });
    await vi.waitFor(() => expect(double.peers).toHaveLength(1));
    abort.abort();
    expect(await seqs).toEqual([]);
    expect(client.stream().state.phase).toBe('closed');
    await vi.waitFor(() => expect(double.peers[0]!.socket.readyState).toBe(3));
  });

  test('messages that this version does not know are passed over', async () => {
    log = [message(1), ended(2)];
    double.onMessage = (peer, received) => {
      peer.socket.send('{"type":"weather","sun":true}');
      peer.socket.send('not json');
      serveLog(peer, received);
    };
    expect(await collect()).toEqual([1, 2]);
  });
});

describe('when following cannot go on', () => {
  test('a revoked key ends it at once', async () => {
    double.onMessage = (peer) => peer.socket.close(4401, 'revoked');
    await expect(collect()).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(double.peers).toHaveLength(1);
  });

  test('a handshake answered with 403 ends it at once', async () => {
    double.refuseStreams = 403;
    await expect(collect()).rejects.toMatchObject({ code: 'forbidden' });
  });

  test('a server that never comes back is given up', async () => {
    double.refuseStreams = 503;
    const phases: string[] = [];
    await expect(collect({ onStatus: (state) => phases.push(state.phase) })).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(phases.filter((phase) => phase === 'waiting')).toHaveLength(LIMITS.maxFailures);
  });

  test('a run that does not exist ends only its own subscription', async () => {
    double.onMessage = (peer, received) => {
      if (received.type === 'subscribe')
        peer.send({ type: 'error', code: 'not_found', message: 'There is no such run', runId: received.runId });
    };
    await expect(collect()).rejects.toMatchObject({ code: 'not_found', message: 'There is no such run' });
  });

  test('an event that does not fit its type is an error, not a hole', async () => {
    log = [{ ...message(1), data: { text: 7 } } as unknown as RunEvent];
    await expect(collect()).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('verifying while following', () => {
  const chained = (events: readonly RunEvent[]) => {
    let hash = GENESIS;
    return events.map((event) => ({ ...event, hash: (hash = extend(hash, entryOf(event))) }));
  };

  test('an honest log passes, also one with fields and types from a newer server', async () => {
    const newer = { ...message(2), type: 'agent.dream', data: { depth: 1 } } as unknown as RunEvent;
    const more = { ...message(1), data: { text: 'a', tone: 'b' } } as RunEvent;
    log = chained([more, newer, ended(3)]);
    expect(await collect({ verify: true })).toEqual([1, 2, 3]);
  });

  test('a changed event is noticed, and named', async () => {
    log = chained([message(1), message(2), ended(3)]);
    log[1] = { ...log[1]!, data: { text: 'I did nothing' } } as RunEvent;
    await expect(collect({ verify: true })).rejects.toThrow(/does not verify at event 2/);
  });

  test('from the middle it continues from the hash there', async () => {
    log = chained([message(1), message(2), ended(3)]);
    const whole = double.reply;
    double.reply = (request, response) =>
      request.url.includes('/events')
        ? sendJson(response, 200, { items: [log[1]], nextAfter: 2 })
        : whole(request, response);
    expect(await collect({ verify: true, after: 2 })).toEqual([3]);
  });
});

describe('acting over the stream', () => {
  test('messages and approvals go out while open, and are refused while not', async () => {
    const stream = client.stream();
    expect(() => stream.sendMessage(RUN_ID, 'hi')).toThrow(/not connected/);
    const subscription = stream.subscribe(RUN_ID, 0, { event: () => undefined, ended: () => undefined });
    await vi.waitFor(() => expect(stream.state.phase).toBe('open'));
    const problems: string[] = [];
    stream.onProblem((problem) => problems.push(problem.code));
    stream.sendMessage(RUN_ID, 'hi');
    stream.approve(RUN_ID, 'apr_1', 'yes');
    await vi.waitFor(() => expect(double.peers[0]!.received).toHaveLength(3));
    double.peers[0]!.send({ type: 'error', code: 'conflict', message: 'It has ended', runId: RUN_ID });
    await vi.waitFor(() => expect(problems).toEqual(['conflict']));
    subscription.close();
    expect(stream.state.phase).toBe('closed');
  });
});
