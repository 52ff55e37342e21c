import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';

/** Where a machine cannot run gVisor, its tests may be left out, but only when that is asked for by name. */
export const SKIP_GVISOR = process.env['CAISSON_TEST_SKIP'] === 'gvisor';

/** `describe` for tests that start real sandboxes. */
export const describeSandboxed: typeof describe.skip = SKIP_GVISOR ? describe.skip : describe;

/** The engine's runtime entry that the tests own; its trace socket is served by whichever test runs. */
export const TEST_RUNTIME = process.env['CAISSON_TEST_RUNTIME'] ?? 'caisson-test';
export const TEST_IMAGE = 'caisson/sandbox:latest';

/** A folder that is gone when the scope ends. Its path is short: Unix sockets are made below it (unix(7): 107 bytes). */
export async function temporaryFolder(prefix = 'csn-'): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
