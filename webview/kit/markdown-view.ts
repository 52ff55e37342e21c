import { h } from './dom.ts';
import { parseMarkdown, type MarkdownNode } from './markdown.ts';

/** Markdown as elements. A link is a button in all but looks: the host shows its address and asks before opening it. */
export function markdown(text: string, openLink: (url: string) => void): HTMLElement {
  const node = (part: MarkdownNode): Node => {
    if (typeof part === 'string') return document.createTextNode(part);
    const children = part.children.map(node);
    if (part.tag !== 'link') return h(part.tag, part.tag === 'pre' ? { tabindex: 0 } : null, ...children);
    const { href = '' } = part;
    const open = (event: Event): void => {
      event.preventDefault();
      // VS Code listens on the document and opens every link that is clicked; this one would be opened twice.
      event.stopPropagation();
      openLink(href);
    };
    return h('a', { href, title: href, onclick: open }, ...children);
  };
  return h('div', { class: 'markdown' }, ...parseMarkdown(text).map(node));
}
