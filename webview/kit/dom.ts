/** Making elements. Everything goes through `setAttribute` and text nodes, so that no text can ever become markup. */
export type Child = Node | string | number | null | undefined | false;
type Value = string | number | boolean | null | undefined | ((event: Event) => void);
export type Props = { readonly [name: string]: Value };

/**
 * An element with attributes, listeners (`onclick` and its like, as functions) and children. An attribute that is
 * `false`, `null` or `undefined` is left out, one that is `true` is present and empty.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props?: Props | null,
  ...children: readonly Child[]
): HTMLElementTagNameMap[K];
export function h(tag: string, props?: Props | null, ...children: readonly Child[]): HTMLElement;
export function h(tag: string, props?: Props | null, ...children: readonly Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else setAttribute(element, name, value);
  }
  element.append(...present(children));
  return element;
}

export function setAttribute(element: Element, name: string, value: Exclude<Value, (event: Event) => void>): void {
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (value === true) element.setAttribute(name, '');
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/** Writes only what differs: a screen reader announces every write, and a selection does not survive one. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setChildren(element: Element, ...children: readonly Child[]): void {
  element.replaceChildren(...present(children));
}

export function show(element: Element, visible: boolean): void {
  element.toggleAttribute('hidden', !visible);
}

function present(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) =>
    child === null || child === undefined || child === false ? [] : [typeof child === 'number' ? String(child) : child],
  );
}
