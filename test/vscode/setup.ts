import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { makePackage } from '../../extension/build/package.mjs';
import { setup as setUpSandboxes } from '../support/flow-setup.ts';
import { SKIP_GVISOR } from '../support/sandboxed.ts';
import { installTools } from './tools/install.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The packaged extension. */
    vsix: string;
  }
}

/** Runs once before the workbench tests: sandboxes, a VS Code to drive, and the package that is tested in it. */
export async function setup(project: TestProject): Promise<void> {
  if (SKIP_GVISOR) return;
  await setUpSandboxes();
  await installTools((text) => process.stdout.write(text));
  const folder = fileURLToPath(new URL('../../dist/test-vscode/', import.meta.url));
  await mkdir(folder, { recursive: true });
  const { file } = await makePackage(folder);
  project.provide('vsix', file);
}
