#!/usr/bin/env node
// `npm run package`: caisson-<version>.vsix with what .vscodeignore lets in. Dependencies are in the bundles, so vsce
// must not look for them.
import { stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createVSIX } from '@vscode/vsce';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const MAX_BYTES = 400 * 1024;
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Bundles and packs. @returns where the package is and how large, in bytes */
export async function makePackage(folder = root) {
  await bundle();
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const file = `${folder.replace(/\/?$/, '/')}caisson-${version}.vsix`;
  await createVSIX({
    cwd: root,
    packagePath: file,
    // For whoever uses VS Code; the one at the top is for whoever has the repository.
    readmePath: 'extension/README.md',
    dependencies: false,
    allowMissingRepository: true,
    skipLicense: true,
  });
  return { file, bytes: (await stat(file)).size };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { file, bytes } = await makePackage();
  console.log(`${file}: ${(bytes / 1024).toFixed(0)} KiB`);
  if (bytes > MAX_BYTES) {
    console.error(`The package is larger than ${MAX_BYTES / 1024} KiB.`);
    process.exitCode = 1;
  }
}
