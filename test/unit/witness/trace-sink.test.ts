import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeqpacketSocket } from 'node-unix-socket';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import { createTraceSink, type TraceSink } from '../../../server/witness/trace-sink.ts';
import { connectPacket, execPacket, inet, message, packet } from './packets.ts';

const logger = pino({ level: 'silent' });
let folder: string;
let socketPath: string;
let sink: TraceSink;
const sockets: SeqpacketSocket[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'witness-'));
  socketPath = join(folder, 'runtime', 'trace.sock');
  sink = await createTraceSink({ socketPath, logger });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await sink.close();
  await rm(folder, { recursive: true });
});

/** Waits as long as a busy machine needs. */
const eventually = (check: () => void) => vi.waitFor(check, 10_000);

/** A gVisor kernel: connects, exchanges versions, then reports. */
async function kernel(): Promise<SeqpacketSocket> {
  const socket = new SeqpacketSocket();
  sockets.push(socket);
  await new Promise<void>((resolve) => socket.connect(socketPath, resolve));
  const answer = new Promise<Buffer>((resolve) => socket.on('data', resolve));
  socket.write(Buffer.from([8, 1]));
  expect(await answer).toEqual(Buffer.from([8, 1]));
  return socket;
}

function watch(id: string) {
  const events: NewEvent[] = [];
  const lost = vi.fn<(reason: string) => void>();
  const stop = sink.watch(id, { onEvents: (batch) => void events.push(...batch), onLost: lost });
  return { events, lost, stop };
}

describe('the trace sink', () => {
  it('lets only its own user near the socket', async () => {
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'runtime'))).mode & 0o777).toBe(0o700);
  });

  it('gives each watcher the events of its own sandbox', async () => {
    const [a, b] = [watch('a'), watch('b')];
    const [kernelA, kernelB] = [await kernel(), await kernel()];
    kernelA.write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    kernelB.write(execPacket({ containerId: 'b' }, '/bin/b', ['b']));
    await eventually(() => {
      expect(a.events).toMatchObject([{ type: 'process.exec', actor: 'kernel', data: { path: '/bin/a' } }]);
      expect(b.events).toMatchObject([{ type: 'process.exec', actor: 'kernel', data: { path: '/bin/b' } }]);
    });
  });

  it('cuts off a connection that speaks for another sandbox', async () => {
    const [a, b] = [watch('a'), watch('b')];
    const socket = await kernel();
    socket.write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    socket.write(execPacket({ containerId: 'b' }, '/bin/forged', ['forged']));
    await eventually(() => expect(a.lost).toHaveBeenCalledWith(expect.stringContaining('spoke for b')));
    expect(b.events).toEqual([]);
    expect(b.lost).not.toHaveBeenCalled();
  });

  it('counts what nobody watches', async () => {
    const socket = await kernel();
    socket.write(execPacket({ containerId: 'stranger' }, '/bin/x', ['x']));
    await eventually(() => expect(sink.stats().unwatched).toBe(1));
  });

  it('says so once when the connection of a watched sandbox ends', async () => {
    const a = watch('a');
    const socket = await kernel();
    socket.write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    socket.destroy();
    await eventually(() => expect(a.lost).toHaveBeenCalledOnce());
    expect(a.events).toHaveLength(1);
  });

  it('says so when a watched sandbox never reports', async () => {
    await sink.close();
    sink = await createTraceSink({ socketPath, logger, firstReportMs: 30 });
    const a = watch('a');
    await eventually(() => expect(a.lost).toHaveBeenCalledWith(expect.stringContaining('reported nothing')));
  });

  it('raises an alert for reports that gVisor dropped, and for one that cannot be read', async () => {
    const a = watch('a');
    const socket = await kernel();
    socket.write(packet(4, message({ containerId: 'a' }).finish()));
    socket.write(Buffer.from('nonsense that is no report'));
    socket.write(Buffer.from('nonsense that is no report'));
    socket.write(packet(4, message({ containerId: 'a' }).finish(), 2));
    socket.write(packet(4, message({ containerId: 'a' }).finish(), 3));
    socket.write(connectPacket({ containerId: 'a' }, inet('10.0.0.1', 80)));
    await eventually(() =>
      expect(a.events.flatMap((event) => (event.type === 'alert.raised' ? [event.data.rule] : []))).toEqual([
        'witness.malformed',
        'witness.dropped',
        'witness.direct-connect',
      ]),
    );
    expect(sink.stats().malformed).toBe(2);
    expect(a.lost).not.toHaveBeenCalled();
  });

  it('hands over one batch at a time, in order', async () => {
    const paths: string[] = [];
    let inside = 0;
    const stop = sink.watch('a', {
      onLost: () => {},
      onEvents: async (batch) => {
        expect((inside += 1)).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2));
        for (const event of batch) if (event.type === 'process.exec') paths.push(event.data.path);
        inside -= 1;
      },
    });
    const socket = await kernel();
    const expected = Array.from({ length: 200 }, (_, i) => `/bin/${i}`);
    for (const path of expected) socket.write(execPacket({ containerId: 'a' }, path, [path]));
    await eventually(() => expect(paths.length).toBeGreaterThan(0));
    socket.end();
    await stop();
    expect(paths).toEqual(expected);
  });

  it('is lost when its events cannot be recorded', async () => {
    const lost = vi.fn<(reason: string) => void>();
    sink.watch('a', { onEvents: () => Promise.reject(new Error('disk full')), onLost: lost });
    (await kernel()).write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    await eventually(() => expect(lost).toHaveBeenCalledWith(expect.stringContaining('disk full')));
  });

  it('does not call a sandbox lost that is no longer watched', async () => {
    const a = watch('a');
    const socket = await kernel();
    socket.write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    await eventually(() => expect(a.events).toHaveLength(1));
    socket.end();
    await a.stop();
    expect(a.lost).not.toHaveBeenCalled();
  });

  it('tells every watcher when it is closed', async () => {
    const a = watch('a');
    await sink.close();
    expect(a.lost).toHaveBeenCalledWith(expect.stringContaining('stopped'));
    await expect(stat(socketPath)).rejects.toThrow('ENOENT');
  });

  it('refuses to take the socket of a living server, and says how to run two', async () => {
    await expect(createTraceSink({ socketPath, logger })).rejects.toThrow(
      /caisson setup --runtime NAME.*CAISSON_RUNTIME/,
    );
    const a = watch('a');
    (await kernel()).write(execPacket({ containerId: 'a' }, '/bin/a', ['a']));
    await eventually(() => expect(a.events).toHaveLength(1));
  });

  it('replaces what a dead server left', async () => {
    await sink.close();
    await writeFile(socketPath, '');
    sink = await createTraceSink({ socketPath, logger });
    await kernel();
  });
});
