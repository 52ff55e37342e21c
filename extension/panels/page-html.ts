export interface PageHtml {
  /** `webview.cspSource`: where the page's own files come from. */
  readonly cspSource: string;
  readonly scriptUri: string;
  readonly styleUri: string;
  readonly nonce: string;
  readonly title: string;
  /** A BCP 47 language tag. */
  readonly language: string;
}

/**
 * The page around a webview's script. Nothing is allowed but that script and the style sheet beside it: no remote
 * content, no images, no inline script, no forms, no frames, no connections.
 */
export function pageHtml({ cspSource, scriptUri, styleUri, nonce, title, language }: PageHtml): string {
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    // The nonce is for one rule-less style element with which the toolkit finds out whether `:focus-visible` works.
    `style-src ${cspSource} 'nonce-${nonce}'`,
    `font-src ${cspSource}`,
    `img-src 'none'`,
    `form-action 'none'`,
    `base-uri 'none'`,
  ].join('; ');
  return `<!DOCTYPE html>
<html lang="${escape(language)}">
  <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="${escape(policy)}">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escape(title)}</title>
    <link rel="stylesheet" href="${escape(styleUri)}">
  </head>
  <body>
    <div id="app"></div>
    <script nonce="${escape(nonce)}" src="${escape(scriptUri)}"></script>
  </body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
}
