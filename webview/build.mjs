/**
 * How the webviews are built: for each page one script without imports, which a nonce in the page's CSP lets through,
 * and one style sheet. The names are those of `panelFiles` in shared/protocol/panel.ts.
 *
 * @param {{ outdir: string, minify?: boolean }} options
 * @returns {import('esbuild').BuildOptions}
 */
export function webviewBuild({ outdir, minify = true }) {
  const file = (path) => new URL(path, import.meta.url).pathname;
  return {
    // An output name may stand for a script and a style sheet at once only in the list form.
    entryPoints: [
      { in: file('run/index.ts'), out: 'run' },
      { in: file('run/run.css'), out: 'run' },
      { in: file('history/index.ts'), out: 'history' },
      { in: file('history/history.css'), out: 'history' },
    ],
    outdir,
    bundle: true,
    minify,
    format: 'iife',
    platform: 'browser',
    target: 'chrome120',
    legalComments: 'none',
    metafile: true,
  };
}
