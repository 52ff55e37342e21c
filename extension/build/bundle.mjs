#!/usr/bin/env node
// Bundles the extension (one CommonJS file: VS Code loads an extension with `require`) and its webviews into dist/.
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { webviewBuild } from '../../webview/build.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * zod's namespace holds its messages in every language, 260 KiB of them; only the English ones are ever used, because
 * what a failed parse says goes into logs.
 * @type {import('esbuild').Plugin}
 */
const englishZod = {
  name: 'english-zod',
  setup: (build) =>
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
      loader: 'js',
    })),
};

/** @type {import('esbuild').BuildOptions} */
const extension = {
  entryPoints: [`${root}extension/extension.ts`],
  outfile: `${root}dist/extension/extension.cjs`,
  bundle: true,
  minify: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  // `ws` works without its two native helpers and asks for them in a try.
  external: ['vscode', 'bufferutil', 'utf-8-validate'],
  // zod looks at it to learn whether it runs in a worker of Cloudflare's; VS Code logs an error whenever it is touched.
  define: { navigator: 'undefined' },
  legalComments: 'none',
  metafile: true,
};

/** Builds everything that the package contains. @returns the sizes in bytes, by file below dist/ */
export async function bundle() {
  const pages = webviewBuild({ outdir: `${root}dist/webview` });
  for (const name of ['run', 'history'])
    for (const ending of ['js', 'css']) await rm(`${root}dist/webview/${name}.${ending}`, { force: true });
  const results = await Promise.all([extension, pages].map((options) => build({ ...options, plugins: [englishZod] })));
  const outputs = results.flatMap(({ metafile }) => Object.entries(metafile.outputs));
  return Object.fromEntries(outputs.map(([file, { bytes }]) => [file, bytes]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [file, bytes] of Object.entries(await bundle())) console.log(`${file}: ${(bytes / 1024).toFixed(0)} KiB`);
}
