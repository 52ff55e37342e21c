import Docker from 'dockerode';
import type { Readable } from 'node:stream';
import { withDeadline } from '../../base/lifecycle.ts';

const PING_DEADLINE_MS = 3_000;

export interface EngineInfo {
  readonly version: string;
  /** The names under which containers can ask for a runtime. */
  readonly runtimes: readonly string[];
  /** Where images and containers are kept. */
  readonly dataRoot: string;
  /** The engine's clock. */
  readonly time: Date;
}

/** What setup and doctor need of the container engine, without its client's types. */
export interface Engine {
  /** @throws when the engine does not answer within `timeoutMs` */
  info(timeoutMs?: number): Promise<EngineInfo>;
  answers(): Promise<boolean>;
  /** The labels of a local image, undefined when there is no such image. */
  imageLabels(tag: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Makes an image of one layer from a tar file. `changes` are Dockerfile instructions (CMD, ENV, LABEL …). */
  importImage(tarFile: string, tag: string, changes: readonly string[]): Promise<void>;
  /** Runs one command in a throw-away container without network and returns its exit code and output. */
  runOnce(options: RunOnceOptions): Promise<{ readonly exitCode: number; readonly output: string }>;
}

export interface RunOnceOptions {
  readonly image: string;
  readonly runtime: string;
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  readonly user?: string;
  /** `source:target:ro` as the engine writes bind mounts. */
  readonly binds?: readonly string[];
}

/** The fields that we read of the engine's own description; the client's types leave it open. */
interface EngineReply {
  readonly ServerVersion: string;
  readonly Runtimes?: Record<string, unknown>;
  readonly DockerRootDir: string;
  readonly SystemTime: string;
}

/** The local engine, or the one that DOCKER_HOST names. */
export function connectEngine(docker: Docker = new Docker()): Engine {
  return {
    async info(timeoutMs = 10_000) {
      const info = (await withDeadline(docker.info(), timeoutMs, 'The container engine')) as EngineReply;
      return {
        version: info.ServerVersion,
        runtimes: Object.keys(info.Runtimes ?? {}),
        dataRoot: info.DockerRootDir,
        time: new Date(info.SystemTime),
      };
    },
    async answers() {
      try {
        await withDeadline(docker.ping(), PING_DEADLINE_MS, 'The container engine');
        return true;
      } catch {
        return false; // Whatever the reason, it does not answer; doctor shows the reason through `info`.
      }
    },
    async imageLabels(tag) {
      try {
        const image = await docker.getImage(tag).inspect();
        return image.Config.Labels ?? {};
      } catch (error) {
        if (statusCode(error) === 404) return undefined;
        throw error;
      }
    },
    async importImage(tarFile, tag, changes) {
      const [repo, version] = splitTag(tag);
      const stream = (await docker.importImage(tarFile, { repo, tag: version, changes })) as Readable;
      await new Promise<void>((resolve, reject) =>
        docker.modem.followProgress(stream, (error: Error | null) => (error ? reject(error) : resolve())),
      );
    },
    async runOnce(options) {
      const container = await docker.createContainer({
        Image: options.image,
        Cmd: [...options.argv],
        Entrypoint: [],
        ...(options.user === undefined ? {} : { User: options.user }),
        HostConfig: {
          Runtime: options.runtime,
          NetworkMode: 'none',
          CapDrop: ['ALL'],
          ReadonlyRootfs: true,
          Binds: [...(options.binds ?? [])],
          Tmpfs: { '/tmp': 'size=64m,mode=1777,exec' },
          LogConfig: { Type: 'json-file', Config: {} },
        },
        Labels: { 'caisson.probe': '1' },
      });
      try {
        await container.start();
        const { StatusCode } = (await container.wait({ abortSignal: AbortSignal.timeout(options.timeoutMs) })) as {
          StatusCode: number;
        };
        const output = await container.logs({ stdout: true, stderr: true, follow: false });
        return { exitCode: StatusCode, output: withoutFrames(output) };
      } finally {
        await container.remove({ force: true });
      }
    },
  };
}

export function statusCode(error: unknown): number | undefined {
  return (error as { statusCode?: number }).statusCode;
}

function splitTag(tag: string): [string, string] {
  const colon = tag.lastIndexOf(':');
  return colon > tag.lastIndexOf('/') ? [tag.slice(0, colon), tag.slice(colon + 1)] : [tag, 'latest'];
}

/** Each frame of multiplexed output has an 8-byte header: stream, three zero bytes, length (Engine API, attach). */
function withoutFrames(output: Buffer): string {
  const parts: Buffer[] = [];
  for (let at = 0; at + 8 <= output.length;) {
    const length = output.readUInt32BE(at + 4);
    parts.push(output.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return Buffer.concat(parts).toString('utf8');
}
