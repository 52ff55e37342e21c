import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeDropdown,
  vsCodeOption,
  vsCodePanels,
  vsCodePanelTab,
  vsCodePanelView,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';
import { h, type Child, type Props } from './dom.ts';

/**
 * The only place that knows `@vscode/webview-ui-toolkit`, which is no longer developed: whoever replaces it changes
 * this file. Its elements are registered when this module loads, only the ones that are used.
 */
provideVSCodeDesignSystem().register(
  vsCodeButton(),
  vsCodeDropdown(),
  vsCodeOption(),
  vsCodePanels(),
  vsCodePanelTab(),
  vsCodePanelView(),
  vsCodeTextArea(),
  vsCodeTextField(),
);

export interface Control extends HTMLElement {
  value: string;
  disabled: boolean;
}

export function button(
  label: string,
  onclick: () => void,
  { primary = false, ...props }: Props & { primary?: boolean } = {},
  ...before: readonly Child[]
): HTMLElement & { disabled: boolean } {
  const appearance = primary ? 'primary' : 'secondary';
  return h('vscode-button', { appearance, onclick, ...props }, ...before, label) as HTMLElement & { disabled: boolean };
}

export function textField(label: string, value: string, oninput: (value: string) => void, props: Props = {}): Control {
  const field = h('vscode-text-field', { 'aria-label': label, placeholder: label, ...props }) as Control;
  field.value = value;
  field.addEventListener('input', () => oninput(field.value));
  return field;
}

export function textArea(label: string, props: Props & { value: string }): Control {
  const { value, ...rest } = props;
  const area = h('vscode-text-area', { 'aria-label': label, resize: 'vertical', ...rest }) as Control;
  area.value = value;
  return area;
}

export interface Choice {
  readonly value: string;
  readonly label: string;
}

export function dropdown(
  label: string,
  choices: readonly Choice[],
  value: string,
  onchange: (value: string) => void,
): Control {
  const options = choices.map((choice) =>
    h('vscode-option', { value: choice.value, selected: choice.value === value }, choice.label),
  );
  const element = h('vscode-dropdown', { 'aria-label': label, class: 'dropdown' }, ...options) as Control;
  element.addEventListener('change', () => onchange(element.value));
  return element;
}

export interface Tab {
  readonly id: string;
  readonly label: string;
  readonly content: HTMLElement;
}

/** Tabs with their contents. `count` of a tab is shown beside its name. */
export function tabs(
  label: string,
  list: readonly Tab[],
  active: string,
  onchange: (id: string) => void,
): { readonly element: HTMLElement; select(id: string): void; setCount(id: string, count: string): void } {
  const counts = new Map(list.map(({ id }) => [id, h('span', { class: 'count' })]));
  const made = new Map(
    list.map((tab) => [tab.id, h('vscode-panel-tab', { id: `tab-${tab.id}` }, tab.label, counts.get(tab.id))]),
  );
  const element = h(
    'vscode-panels',
    { 'aria-label': label, activeid: `tab-${active}` },
    ...made.values(),
    ...list.map((tab) => h('vscode-panel-view', { id: `view-${tab.id}` }, tab.content)),
  );
  element.addEventListener('change', (event) => {
    if (event.target !== element) return; // Dropdowns inside the views change too, and that event bubbles.
    const id = (element as HTMLElement & { activeid: string }).activeid.replace(/^tab-/, '');
    if (counts.has(id)) onchange(id);
  });
  return {
    element,
    select: (id) => element.setAttribute('activeid', `tab-${id}`),
    setCount: (id, count) => {
      const [badge, tab] = [counts.get(id), made.get(id)];
      if (!badge || !tab || badge.textContent === count) return;
      badge.textContent = count;
      // The toolkit names a tab after its text once, when it is made.
      tab.setAttribute('aria-label', tab.textContent ?? '');
    },
  };
}
