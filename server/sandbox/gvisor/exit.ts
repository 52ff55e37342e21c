import type Docker from 'dockerode';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxExit } from '../sandbox.ts';
import { connectEngine } from './engine.ts';

/** 128 + SIGTERM: nobody inside may signal PID 1, so the engine itself asked it to end. */
const ASKED_TO_STOP = 143;
const KILLED = 137;

export interface Life {
  /** Resolves as soon as the sandbox is known to run no longer. */
  readonly gone: Promise<void>;
  /** Resolves a moment later, when it is also known why. */
  readonly exited: Promise<SandboxExit>;
}

/** Follows a started container to its end; never rejects. `isDestroying` says whether the end is our own doing. */
export function watchLife(docker: Docker, container: Docker.Container, isDestroying: () => boolean): Life {
  // A broken connection, or a container that vanished: if we did not do it, the engine did.
  const ended = container.wait({ condition: 'not-running' }).then(
    (reply: { StatusCode: number }) => reply.StatusCode,
    () => null,
  );
  return {
    gone: ended.then(() => undefined),
    exited: ended.then((exitCode) => reasonOf(docker, container, exitCode, isDestroying())),
  };
}

async function reasonOf(
  docker: Docker,
  container: Docker.Container,
  exitCode: number | null,
  destroying: boolean,
): Promise<SandboxExit> {
  if (destroying) return { exitCode, outOfMemory: false, reason: 'destroyed' };
  if (exitCode === KILLED && (await wasOutOfMemory(container))) {
    return { exitCode, outOfMemory: true, reason: 'out_of_memory' };
  }
  if (exitCode === null || (exitCode === ASKED_TO_STOP && !(await staysUp(docker)))) {
    return { exitCode: null, outOfMemory: false, reason: 'engine_lost' };
  }
  return { exitCode, outOfMemory: false, reason: 'exited' };
}

/** The engine hears of the kernel's verdict on its own way, sometimes a moment after the exit. */
async function wasOutOfMemory(container: Docker.Container): Promise<boolean> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const state = await container.inspect().then(
      (found) => found.State,
      () => undefined,
    );
    if (state === undefined) return false;
    if (state.OOMKilled) return true;
    await sleep(60);
  }
  return false;
}

/** An engine that shuts down stops its containers first and answers for a moment longer. */
async function staysUp(docker: Docker): Promise<boolean> {
  for (let attempt = 0; attempt < 8; attempt++) {
    await sleep(250);
    if (!(await connectEngine(docker).answers())) return false;
  }
  return true;
}
