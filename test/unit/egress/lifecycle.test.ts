import { existsSync, statSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import {
  CONNECTED,
  connectTo,
  eventually,
  HOST,
  openClient,
  releaseAll,
  startGateway,
  startUpstream,
} from './support.ts';

afterEach(releaseAll);

describe('the log and the gateway', () => {
  it('lets nothing out before the decision is durable', async () => {
    const upstream = await startUpstream();
    let durable: (() => void) | undefined;
    const { gateway } = await startGateway(
      { patterns: [`${HOST}:${upstream.port}`], allowNonTls: true },
      {
        record: (event) =>
          event.type === 'egress.allowed' ? new Promise<void>((resolve) => (durable = resolve)) : Promise.resolve(),
      },
    );
    const client = openClient(gateway.socketPath, `${connectTo(`${HOST}:${upstream.port}`)}early`);
    await eventually(() => durable !== undefined, 'the decision at the log');
    expect(upstream.sockets).toHaveLength(0);
    expect(client.text()).toBe('');
    durable!();
    await client.until(/early/);
  });

  it.each(['egress.allowed', 'egress.denied', 'egress.closed'])('fails closed when %s is not taken', async (type) => {
    const upstream = await startUpstream();
    const target = `${HOST}:${upstream.port}`;
    let broken = false;
    const record = async (event: NewEvent) => {
      if (broken && event.type === type) throw new Error('disk full');
    };
    const { gateway, failures } = await startGateway({ patterns: [target], allowNonTls: true }, { record });
    const before = openClient(gateway.socketPath, connectTo(target));
    const ending = openClient(gateway.socketPath, connectTo(target));
    await Promise.all([before.until(CONNECTED), ending.until(CONNECTED)]);
    const reached = upstream.sockets.length;
    broken = true;
    if (type === 'egress.closed') ending.socket.end();
    else
      expect(
        await openClient(gateway.socketPath, connectTo(type === 'egress.allowed' ? target : 'evil.example:443')).ended,
      ).toBe('');
    await before.ended;
    await eventually(() => upstream.sockets.every((socket) => socket.destroyed), 'every upstream connection cut');
    broken = false;
    expect(await openClient(gateway.socketPath, connectTo(target)).ended).toBe('');
    expect(upstream.sockets).toHaveLength(reached);
    expect(failures.map(({ message }) => message)).toEqual(['disk full']);
  });

  it('takes a log that does not answer for one that failed', async () => {
    const options = { record: () => new Promise<void>(() => undefined), limits: { recordTimeoutMs: 30 } };
    const { gateway, failures } = await startGateway({ mode: 'open' }, options);
    expect(await openClient(gateway.socketPath, connectTo('10.0.0.1:443')).ended).toBe('');
    expect(failures).toHaveLength(1);
  });

  it('records every denial of a flood, and holds back the answers to the later ones', async () => {
    const { gateway, decisions } = await startGateway({}, { limits: { freeDenials: 5, denialDelayMs: 60_000 } });
    for (let i = 0; i < 5; i++) await openClient(gateway.socketPath, connectTo(`h${i}.example:443`)).ended;
    const late = [5, 6, 7].map((i) => openClient(gateway.socketPath, connectTo(`h${i}.example:443`)));
    await openClient(gateway.socketPath, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').until(/404/);
    expect(decisions()).toHaveLength(5);
    expect(late.map((client) => client.text())).toEqual(['', '', '']);
    await gateway.close();
    expect(decisions()).toHaveLength(8);
  });

  it('counts connections beyond the limit, and tells the log once', async () => {
    const upstream = await startUpstream();
    const target = `${HOST}:${upstream.port}`;
    const limits = { maxConnections: 2, surplusReportMs: 50 };
    const { gateway, events } = await startGateway({ patterns: [target], allowNonTls: true }, { limits });
    const held = [openClient(gateway.socketPath, connectTo(target)), openClient(gateway.socketPath, connectTo(target))];
    await Promise.all(held.map((client) => client.until(CONNECTED)));
    await Promise.all(Array.from({ length: 5 }, () => openClient(gateway.socketPath, connectTo(target)).ended));
    const limited = () =>
      events.filter((event) => event.type === 'egress.denied' && event.data.rule === 'connection-limit');
    await eventually(() => limited().length > 0, 'the surplus in the log');
    expect(limited()).toHaveLength(1);
    expect(limited()[0]?.data).toMatchObject({ reason: expect.stringMatching(/^5 connections/) as string });
    held[0]!.socket.destroy();
    await eventually(() => events.some((event) => event.type === 'egress.closed'), 'a free place');
    await openClient(gateway.socketPath, connectTo(target)).until(CONNECTED);
  });
});

describe('closing', () => {
  it('ends live tunnels, records their ends, and removes the socket', async () => {
    const upstream = await startUpstream();
    const target = `${HOST}:${upstream.port}`;
    const { gateway, closed, failures } = await startGateway({ patterns: [target], allowNonTls: true });
    expect(statSync(gateway.socketPath).mode & 0o777).toBe(0o666);
    const clients = [1, 2, 3].map(() => openClient(gateway.socketPath, connectTo(target)));
    await Promise.all(clients.map((client) => client.until(CONNECTED)));
    clients[0]!.socket.write('12345');
    await clients[0]!.until(/12345/);
    expect(gateway.totals()).toEqual({ sentBytes: 5, receivedBytes: 5 });
    await gateway.close();
    expect(closed()).toHaveLength(3);
    expect(closed().every(({ error }) => error !== undefined)).toBe(true);
    expect(gateway.totals()).toEqual({ sentBytes: 5, receivedBytes: 5 });
    expect(existsSync(gateway.socketPath)).toBe(false);
    expect(failures).toEqual([]);
    await Promise.all(clients.map((client) => client.ended));
    await eventually(() => upstream.sockets.every((socket) => socket.destroyed), 'every upstream connection ended');
    await gateway.close();
  });

  it('does not wait for ever: not for a log, not for a resolver, not for a delay', async () => {
    const record = (event: NewEvent) =>
      event.type === 'egress.closed' ? new Promise<void>(() => undefined) : Promise.resolve();
    const upstream = await startUpstream();
    const target = `${HOST}:${upstream.port}`;
    const limits = { closeTimeoutMs: 100, freeDenials: 0, denialDelayMs: 60_000, resolveTimeoutMs: 60_000 };
    const resolver = () => new Promise<string[]>(() => undefined);
    const { gateway, failures } = await startGateway(
      { patterns: [target, 'slow.example'], allowNonTls: true },
      { record, limits, resolver },
    );
    await openClient(gateway.socketPath, connectTo(target)).until(CONNECTED);
    openClient(gateway.socketPath, connectTo('slow.example:443'));
    openClient(gateway.socketPath, connectTo('denied.example:443'));
    await openClient(gateway.socketPath, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').until(/404/);
    await gateway.close();
    expect(failures).toEqual([]);
  });

  it('an attempt that is held back when the gateway closes is still recorded', async () => {
    const { gateway, decisions } = await startGateway({}, { limits: { freeDenials: 0, denialDelayMs: 60_000 } });
    openClient(gateway.socketPath, connectTo('denied.example:443'));
    await openClient(gateway.socketPath, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n').until(/404/);
    await gateway.close();
    expect(decisions()).toEqual(['deny not-listed']);
  });

  it('takes the place of a socket file that a killed server left', async () => {
    const first = await startGateway({});
    const second = await startGateway({ mode: 'open' }, { socketPath: first.gateway.socketPath });
    await openClient(second.gateway.socketPath, connectTo('10.0.0.1:1')).ended;
    expect(second.decisions()).toEqual(['deny address:private']);
  });
});
