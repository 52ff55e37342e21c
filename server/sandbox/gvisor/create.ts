import type Docker from 'dockerode';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { Cleanup, messageOf, untilAborted, withDeadline } from '../../base/lifecycle.ts';
import type { Logger } from '../../base/logger.ts';
import type { SandboxExit, SandboxSpec } from '../sandbox.ts';
import { containerConfig, containerName } from './container-config.ts';
import { mountDisk, prepareDisk } from './disk.ts';
import { statusCode } from './engine.ts';
import { startProcess, type ExecTarget } from './exec.ts';
import { watchLife } from './exit.ts';
import { splitOutput } from './frames.ts';
import { GvisorSandbox } from './gvisor-sandbox.ts';
import type { createKernelCheck } from './kernel.ts';
import { readRelayReport } from './relay.ts';
import { releaseSandbox } from './release.ts';

const STEP_DEADLINE_MS = 30_000;
const RELAY_DEADLINE_MS = 20_000;
/** As much of PID 1's output as is read while waiting for it, and shown when it fails. */
const RELAY_OUTPUT_BYTES = 4_096;

export interface CreateContext {
  readonly docker: Docker;
  readonly serverId: string;
  readonly runtime: string;
  readonly allowUnsandboxed: boolean;
  readonly logger: Logger;
  readonly isGvisor: ReturnType<typeof createKernelCheck>;
  /** The sandbox's own folder on the host. */
  readonly folder: string;
  /** Called when nothing of the sandbox needs to be protected from reaping any more. */
  readonly onGone: () => void;
}

/**
 * Makes the disk and the container at the same time, then starts the container and waits until its relay listens.
 * When anything fails, or the signal aborts, everything acquired so far is released before the error is thrown.
 */
export async function createSandbox(
  context: CreateContext,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<GvisorSandbox> {
  const started = performance.now();
  const { docker } = context;
  const disk = await prepareDisk(context.folder);
  const remains = { container: containerName(spec.runId), disk, egressSocket: join(spec.egressFolder, 'egress.sock') };
  const cleanup = new Cleanup();
  // The egress socket belongs to the caller until there is a sandbox.
  cleanup.add('sandbox', async () => {
    const absence = await releaseSandbox(docker, { ...remains, egressSocket: undefined });
    if (!Object.values(absence).every(Boolean))
      context.logger.error({ runId: spec.runId, absence }, 'a failed sandbox left something behind');
  });
  try {
    const [container] = await allDone([
      createContainer(docker, spec, { ...context, workspace: disk.workspace }),
      mountDisk(disk, spec.diskBytes),
    ]);
    signal.throwIfAborted();
    spec.onIdentified(container.id);

    const output = await attach(container);
    cleanup.add('output of PID 1', () => void output.destroy());
    signal.throwIfAborted();
    await untilAborted(deadline(startContainer(container), 'Starting the sandbox'), signal);
    let destroying = false;
    const life = watchLife(docker, container, () => destroying);
    const version = await untilAborted(waitForRelay(output, life.exited), signal);
    // Nothing that the relay says later is of use; the engine drops it when nobody is attached.
    output.destroy();

    const gvisor = await untilAborted(requireGvisor(context, { container, ...life }, version), signal);
    const coldStartMs = Math.round(performance.now() - started);
    const onDestroy = (): void => {
      destroying = true;
      context.onGone();
    };
    return new GvisorSandbox({
      docker,
      container,
      ...life,
      runId: spec.runId,
      kernel: gvisor ? `gVisor (${version})` : version,
      gvisor,
      coldStartMs,
      remains,
      onDestroy,
    });
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function createContainer(
  docker: Docker,
  spec: SandboxSpec,
  settings: { serverId: string; runtime: string; workspace: string },
): Promise<Docker.Container> {
  try {
    return await deadline(docker.createContainer(containerConfig(spec, settings)), 'Creating the sandbox');
  } catch (error) {
    if (statusCode(error) === 404) {
      throw new CaissonError(
        'sandbox_unavailable',
        `There is no image «${spec.image}» on this machine. \`caisson setup\` makes caisson/sandbox; load any other with \`docker load\`.`,
        { cause: error },
      );
    }
    throw new CaissonError('sandbox_unavailable', `The engine refused to create the sandbox: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** PID 1's output from its first byte on: before it is started. */
async function attach(container: Docker.Container): Promise<Duplex> {
  const attached = container.attach({ stream: true, stdout: true, stderr: true, hijack: true });
  return (await deadline(attached, 'Attaching to the sandbox')) as Duplex;
}

async function startContainer(container: Docker.Container): Promise<void> {
  try {
    await container.start();
  } catch (error) {
    const hint = /trace\.sock/.test(messageOf(error))
      ? ' Nobody listens on the trace socket: a sandbox without a witness does not start.'
      : '';
    throw new CaissonError(
      'sandbox_unavailable',
      `The engine could not start the sandbox: ${messageOf(error)}${hint}`,
      { cause: error },
    );
  }
}

/** Reads PID 1's output until it has named its kernel and the relay listens. Returns the kernel's version line. */
async function waitForRelay(output: Duplex, exited: Promise<SandboxExit>): Promise<string> {
  let said = '';
  const { stdout, stderr } = splitOutput(output, false);
  const ready = new Promise<string>((resolve) => {
    const look = (chunk: Buffer): void => {
      said = (said + chunk.toString('utf8')).slice(0, RELAY_OUTPUT_BYTES);
      const { kernel, listening } = readRelayReport(said);
      if (kernel !== undefined && listening) resolve(kernel);
    };
    stdout.on('data', look);
    stderr.on('data', look);
  });
  const died = exited.then((exit): never => {
    throw new CaissonError(
      'sandbox_unavailable',
      `The sandbox's relay ended at once (exit code ${exit.exitCode ?? 'unknown'}): ${said.trim() || 'it said nothing'}. The image needs /bin/sh, tini, socat and setpriv.`,
    );
  });
  return withDeadline(Promise.race([ready, died]), RELAY_DEADLINE_MS, 'The relay of the sandbox');
}

/** Whether the kernel is gVisor's. @throws {CaissonError} when it is not, and that is not allowed */
async function requireGvisor(context: CreateContext, target: ExecTarget, version: string): Promise<boolean> {
  const readLog = async (): Promise<string> => {
    const process = await startProcess(target, ['dmesg'], { cwd: '/' });
    process.stdin.end();
    process.stderr.resume();
    let log = '';
    for await (const chunk of process.stdout) log += String(chunk);
    return log;
  };
  if (await withDeadline(context.isGvisor(version, readLog), STEP_DEADLINE_MS, 'Asking the sandbox for its kernel')) {
    return true;
  }
  if (context.allowUnsandboxed) return false;
  throw new CaissonError(
    'sandbox_unavailable',
    `The runtime «${context.runtime}» is not gVisor: the sandbox says that its kernel is «${version}». \`caisson setup\` registers gVisor.`,
  );
}

/** Waits for both even when one fails, so that nothing is still being made while it is released. */
async function allDone<A, B>(promises: [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

function deadline<T>(promise: Promise<T>, what: string): Promise<T> {
  return withDeadline(promise, STEP_DEADLINE_MS, what);
}
