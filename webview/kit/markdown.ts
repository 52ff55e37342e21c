import MarkdownIt, { type Token } from 'markdown-it';

/**
 * Markdown from an agent, which may be hostile, as a tree of a few known elements. HTML in it is text; images are not
 * loaded but named; what has no entry in TAGS is shown as its text. Nothing of this ever goes through `innerHTML`.
 */
export type MarkdownNode = string | MarkdownElement;
export interface MarkdownElement {
  readonly tag: (typeof TAGS)[number] | 'link';
  /** Only on links: an http or https address, whole. */
  readonly href?: string;
  readonly children: readonly MarkdownNode[];
}

const TAGS = [
  'p',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'ul',
  'ol',
  'li',
  'blockquote',
  'pre',
  'code',
  'em',
  'strong',
  's',
  'br',
  'hr',
  'table',
  'thead',
  'tbody',
  'tr',
  'th',
  'td',
] as const;
const known = new Set<string>(TAGS);

const MAX_NESTING = 40;
const parser = new MarkdownIt({ html: false, linkify: false, typographer: false, maxNesting: MAX_NESTING });
// A reference definition (`[x]: javascript:…`) or a data address must not even become a link that is then refused.
parser.validateLink = (url) => safeLink(url) !== undefined;

/** @returns the address if it is http or https and has no user name in it, which could pretend to be the host */
export function safeLink(url: string): string | undefined {
  if (!/^https?:\/\//i.test(url) || url.length > 2000 || !URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  return parsed.username === '' && parsed.password === '' ? parsed.href : undefined;
}

export function parseMarkdown(text: string): readonly MarkdownNode[] {
  const tokens = parser.parse(text, {});
  // What is nested deeper the parser leaves out, and what an agent says must not vanish.
  if (tokens.some(tooDeep)) return [{ tag: 'pre', children: [text] }];
  return treeOf(tokens);
}

function tooDeep(token: Token): boolean {
  return token.level >= MAX_NESTING - 1 || (token.children?.some(tooDeep) ?? false);
}

function treeOf(tokens: readonly Token[]): readonly MarkdownNode[] {
  const root: MarkdownNode[] = [];
  const stack: MarkdownNode[][] = [root];
  for (const token of tokens) {
    const here = stack.at(-1) ?? root;
    if (token.nesting === -1) {
      if (stack.length > 1) stack.pop();
    } else if (token.nesting === 1) {
      const children: MarkdownNode[] = [];
      // A tight list's paragraphs are hidden: what they hold belongs to the item itself.
      const element = token.hidden ? undefined : elementOf(token, children);
      if (element) here.push(element);
      stack.push(element ? children : here);
    } else here.push(...leaf(token));
  }
  return root;
}

function elementOf(token: Token, children: readonly MarkdownNode[]): MarkdownElement | undefined {
  if (token.type === 'link_open') {
    const href = safeLink(String(token.attrGet('href') ?? ''));
    return href === undefined ? undefined : { tag: 'link', href, children };
  }
  return known.has(token.tag) ? { tag: token.tag as (typeof TAGS)[number], children } : undefined;
}

function leaf(token: Token): readonly MarkdownNode[] {
  switch (token.type) {
    case 'inline':
      return treeOf(token.children ?? []);
    case 'fence':
    case 'code_block':
      return [{ tag: 'pre', children: [{ tag: 'code', children: [token.content] }] }];
    case 'code_inline':
      return [{ tag: 'code', children: [token.content] }];
    case 'softbreak':
      return ['\n'];
    case 'hardbreak':
      return [{ tag: 'br', children: [] }];
    case 'hr':
      return [{ tag: 'hr', children: [] }];
    case 'image':
      return [`[${token.content}]`];
    default:
      return token.content === '' ? [] : [token.content];
  }
}
