import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseMarkdown, safeLink, type MarkdownNode } from '../../../../webview/kit/markdown.ts';

const textOf = (nodes: readonly MarkdownNode[]): string =>
  nodes.map((node) => (typeof node === 'string' ? node : textOf(node.children))).join('');
const elements = (nodes: readonly MarkdownNode[]): { tag: string; href?: string }[] =>
  nodes.flatMap((node) => (typeof node === 'string' ? [] : [node, ...elements(node.children)]));

const ALLOWED = new Set(
  'p h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong s br hr table thead tbody tr th td link'.split(' '),
);

describe('what an agent writes', () => {
  test('is shown with its structure', () => {
    const tree = parseMarkdown('# Done\n\n- **one**\n- `two`\n\n```js\nx < 1\n```');
    expect(tree).toEqual([
      { tag: 'h1', children: ['Done'] },
      {
        tag: 'ul',
        children: [
          { tag: 'li', children: [{ tag: 'strong', children: ['one'] }] },
          { tag: 'li', children: [{ tag: 'code', children: ['two'] }] },
        ],
      },
      { tag: 'pre', children: [{ tag: 'code', children: ['x < 1\n'] }] },
    ]);
  });

  test('has links to the web, with their whole address', () => {
    expect(elements(parseMarkdown('[docs](https://example.com/a?b=c "title")'))).toContainEqual({
      tag: 'link',
      href: 'https://example.com/a?b=c',
      children: ['docs'],
    });
  });

  test.each([
    ['script', '<script>alert(1)</script>'],
    ['event handler', '<img src=x onerror=alert(1)>'],
    ['event handler in a block', '<div>\n<svg/onload=alert(1)>\n</div>'],
    ['frame', '<iframe src="https://evil.example"></iframe>'],
    ['style', '<style>body{display:none}</style>'],
    ['form', '<form action="https://evil.example"><input name=key></form>'],
    ['comment', '<!-- <script>alert(1)</script> -->'],
    ['processing instruction', '<?xml version="1.0"?><script>alert(1)</script>'],
    ['javascript link', '[x](javascript:alert(1))'],
    ['javascript link with entities', '[x](java&#115;cript:alert(1))'],
    ['javascript link with a tab', '[x](<java\tscript:alert(1)>)'],
    ['javascript link in capitals', '[x](JaVaScRiPt:alert(1))'],
    ['data link', '[x](data:text/html;base64,PHNjcmlwdD4=)'],
    ['command link', '[x](command:workbench.action.terminal.new)'],
    ['vscode link', '[x](vscode://evil.extension/do)'],
    ['file link', '[x](file:///etc/passwd)'],
    ['reference', '[x]\n\n[x]: javascript:alert(1)'],
    ['autolink', '<javascript:alert(1)>'],
    ['user name that pretends to be the host', '[x](https://github.com@evil.example/)'],
    ['protocol-relative link', '[x](//evil.example)'],
    ['image', '![x](https://evil.example/track.png)'],
    ['image with an attribute break', '![x" onerror="alert(1)](https://evil.example/a.png)'],
    ['attribute break in a language', '```"><img src=x onerror=alert(1)>\ncode\n```'],
  ])('holds nothing active: %s', (_name, source) => {
    for (const { tag, href } of elements(parseMarkdown(source))) {
      expect(ALLOWED).toContain(tag);
      expect(href ?? 'https://').toMatch(/^https?:\/\//);
      expect(href ?? '').not.toContain('evil.example');
    }
  });

  test('HTML is text that one can read', () => {
    expect(textOf(parseMarkdown('before <b onclick=x>bold</b>'))).toBe('before <b onclick=x>bold</b>');
  });

  test('an image is named, not loaded', () => {
    expect(parseMarkdown('![a chart](https://example.com/a.png)')).toEqual([{ tag: 'p', children: ['[a chart]'] }]);
  });

  test('only known elements come out of any text, and quickly out of deep nesting', () => {
    const source = fc.array(
      fc.constantFrom(
        '<',
        '>',
        '[',
        '](',
        ')',
        'javascript:',
        '`',
        '*',
        '#',
        '\n',
        '> ',
        '- ',
        '|',
        'a',
        '&lt;',
        '!',
        '"',
      ),
    );
    fc.assert(
      fc.property(source, (parts) => {
        for (const { tag, href } of elements(parseMarkdown(parts.join('')))) {
          expect(ALLOWED).toContain(tag);
          expect(href ?? 'https:').toMatch(/^https?:/);
        }
      }),
    );
    expect(textOf(parseMarkdown('> '.repeat(5000) + 'deep'))).toContain('deep');
    expect(textOf(parseMarkdown('['.repeat(5000)))).toContain('[');
  });
});

test.each([
  ['https://example.com', 'https://example.com/'],
  ['HTTP://EXAMPLE.com/a b', 'http://example.com/a%20b'],
  ['https://', undefined],
  ['ftp://example.com', undefined],
  [' https://example.com', undefined],
  [`https://example.com/${'a'.repeat(2001)}`, undefined],
])('the link %s opens as %s', (url, opened) => {
  expect(safeLink(url)).toBe(opened);
});
