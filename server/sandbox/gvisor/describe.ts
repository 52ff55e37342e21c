import type Docker from 'dockerode';
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { runCommand } from '../../base/command.ts';
import { messageOf, withDeadline } from '../../base/lifecycle.ts';
import type { RuntimeInfo } from '../sandbox.ts';

const ENGINE_DEADLINE_MS = 10_000;

const engineInfo = z.object({
  Runtimes: z
    .record(z.string(), z.object({ path: z.string().optional(), runtimeArgs: z.array(z.string()).nullish() }))
    .nullish(),
});
const podInit = z.object({
  trace_session: z.object({ sinks: z.array(z.object({ config: z.object({ endpoint: z.string() }) })) }),
});

/**
 * What the engine would run for this runtime name, without starting anything: each sandbox is asked again when it is
 * created.
 * @throws {CaissonError} `unavailable` when the engine does not answer or does not know the runtime
 */
export async function describeRuntime(docker: Docker, runtime: string): Promise<RuntimeInfo> {
  let reply: unknown;
  try {
    reply = await withDeadline(docker.info() as Promise<unknown>, ENGINE_DEADLINE_MS, 'The container engine');
  } catch (error) {
    throw new CaissonError(
      'unavailable',
      `The Docker engine does not answer (${messageOf(error)}). \`caisson setup\` starts it.`,
      { cause: error },
    );
  }
  const entry = engineInfo.parse(reply).Runtimes?.[runtime];
  if (!entry) {
    throw new CaissonError(
      'unavailable',
      `The Docker engine has no runtime «${runtime}». \`caisson setup --runtime ${runtime}\` adds it.`,
    );
  }
  const configFile = entry.runtimeArgs
    ?.map((arg) => /^--pod-init-config=(.+)$/.exec(arg)?.[1])
    .find((path) => path !== undefined);
  return {
    runtime,
    sandboxed: entry.path !== undefined && (await isRunsc(entry.path)),
    traceSocket: configFile === undefined ? undefined : await readTraceSocket(configFile),
  };
}

async function isRunsc(path: string): Promise<boolean> {
  try {
    return (await runCommand([path, '--version'], { timeoutMs: 10_000 })).startsWith('runsc version');
  } catch {
    return false; // Not installed, or not a program that knows --version: in any case not gVisor.
  }
}

async function readTraceSocket(file: string): Promise<string> {
  try {
    const { trace_session } = podInit.parse(JSON.parse(await readFile(file, 'utf8')));
    const endpoint = trace_session.sinks[0]?.config.endpoint;
    if (endpoint !== undefined) return endpoint;
  } catch (error) {
    throw new CaissonError(
      'unavailable',
      `The trace configuration ${file} cannot be used (${messageOf(error)}). \`caisson setup\` writes it anew.`,
      { cause: error },
    );
  }
  throw new CaissonError(
    'unavailable',
    `The trace configuration ${file} names no socket. \`caisson setup\` writes it anew.`,
  );
}
