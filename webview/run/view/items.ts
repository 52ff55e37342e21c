import { setChildren, h } from '../../kit/dom.ts';
import { fold } from '../../kit/expanded.ts';
import { formatBytes, formatCount, formatDuration } from '../../kit/format.ts';
import { icon, type IconName } from '../../kit/icons.ts';
import { t } from '../../kit/l10n.ts';
import { markdown } from '../../kit/markdown-view.ts';
import { json, visible } from '../../kit/visible.ts';
import type { DeniedItem, Item, NoticeItem, OutputItem, PlanItem, ResultItem, ToolItem } from '../model/items.ts';
import { exitText, hostAndPort, patchText, stepName, summarize } from '../model/summary.ts';
import { approval, type Answers } from './approval.ts';
import { block, itemFrame } from './item-parts.ts';
import { openLink, type Page } from './page.ts';

export interface ItemContext {
  readonly page: Page;
  readonly answers: Answers;
  readonly showChanges: () => void;
}

type Draw<K extends Item['kind']> = (item: Extract<Item, { kind: K }>, context: ItemContext) => HTMLElement;

/** One entry for each kind of item; a kind that is added and forgotten here does not compile. */
const DRAW: { readonly [K in Item['kind']]: Draw<K> } = {
  prompt: (item) => itemFrame('prompt', 'person', item.at, { label: t('Prompt') }, h('p', null, visible(item.text))),
  message: (item, { page }) =>
    itemFrame(
      'message',
      'agent',
      item.at,
      {},
      item.plain ? block(item.text, t('Output')) : markdown(visible(item.text), openLink(page)),
    ),
  thought: (item, { page }) =>
    itemFrame('thought', 'dot', item.at, { label: t('Thinking') }, markdown(visible(item.text), openLink(page))),
  plan: (item) => plan(item),
  tool: (item, { page }) => tool(item, page),
  output: (item, { page }) => output(item, page),
  approval: (item, { page, answers }) => approval(item, page, answers),
  denied: (item) => denied(item),
  result: (item, context) => result(item, context),
  notice: (item) => notice(item),
  unknown: (item, { page }) =>
    itemFrame(
      'unknown',
      'question',
      item.at,
      {},
      fold(
        page.expanded,
        item.key,
        [t('{0} (not known to this version)', item.event.type.replace('unknown:', ''))],
        () => block(json(item.event.data), t('Data')),
      ),
    ),
};

export function drawItem(item: Item, context: ItemContext): HTMLElement {
  return (DRAW[item.kind] as (item: Item, context: ItemContext) => HTMLElement)(item, context);
}

const PLAN_MARKS: Record<string, { icon: IconName; label: () => string }> = {
  completed: { icon: 'check', label: () => t('done') },
  in_progress: { icon: 'play', label: () => t('in progress') },
};

function plan({ at, entries }: PlanItem): HTMLElement {
  const rows = entries.map((entry) => {
    const mark = PLAN_MARKS[entry.status] ?? { icon: 'circle' as const, label: () => t('to do') };
    const known = Object.hasOwn(PLAN_MARKS, entry.status) ? entry.status : 'pending';
    return h(
      'li',
      { class: `plan-${known}` },
      icon(mark.icon),
      h('span', { class: 'only-heard' }, `${mark.label()}: `),
      h('span', null, visible(entry.content)),
    );
  });
  return itemFrame('plan', 'flag', at, { label: t('Plan') }, h('ul', { class: 'plan' }, ...rows));
}

const TOOL_MARKS: Record<string, { icon: IconName; label: () => string }> = {
  completed: { icon: 'check', label: () => t('completed') },
  failed: { icon: 'cross', label: () => t('failed') },
  pending: { icon: 'clock', label: () => t('pending') },
  in_progress: { icon: 'spinner', label: () => t('in progress') },
};

function tool(item: ToolItem, { expanded }: Page): HTMLElement {
  const mark = TOOL_MARKS[item.status] ?? { icon: 'dot' as const, label: () => item.status };
  const summary = [
    icon(mark.icon, item.status === 'failed' ? 'tone-bad' : ''),
    h('span', { class: 'tool-title' }, visible(item.title || item.toolKind)),
    h('span', { class: 'tool-paths' }, visible(item.paths.filter((path) => !item.title.includes(path)).join(' '))),
    h('span', { class: 'dim' }, mark.label()),
  ];
  const content = (): HTMLElement => {
    const parts = h('div', { class: 'fold-content' });
    setChildren(
      parts,
      item.input === undefined ? null : block(json(item.input), t('Input')),
      item.output === '' ? h('p', { class: 'dim' }, t('No output')) : block(item.output, t('Output')),
    );
    return parts;
  };
  const tone = item.status === 'failed' ? ('bad' as const) : undefined;
  return itemFrame('tool', 'tool', item.at, { tone }, fold(expanded, item.key, summary, content));
}

function output(item: OutputItem, { expanded }: Page): HTMLElement {
  const failed = item.state === 'failed';
  const name = item.source === 'stderr' ? t('Standard error') : stepName(item.source);
  const state =
    item.state === 'running'
      ? t('running')
      : [
          item.exitCode === undefined ? '' : exitText({ exitCode: item.exitCode }),
          item.ms === undefined ? '' : formatDuration(item.ms),
        ]
          .filter(Boolean)
          .join(', ');
  const content = (): HTMLElement =>
    h(
      'div',
      { class: 'fold-content' },
      item.truncated ? h('p', { class: 'dim' }, t('Only the end is shown; the audit has everything.')) : null,
      item.text === '' ? h('p', { class: 'dim' }, t('No output')) : block(item.text, name),
    );
  const summary = [h('span', { class: 'tool-title' }, name), h('span', { class: 'dim' }, state)];
  const details = fold(expanded, item.key, summary, content, failed);
  return itemFrame('output', failed ? 'cross' : 'terminal', item.at, { tone: failed ? 'bad' : undefined }, details);
}

function denied({ at, last, count }: DeniedItem): HTMLElement {
  const target = h('code', null, visible(hostAndPort(last.host, last.port)));
  const before =
    count === 2 ? t('and another attempt before it') : t('and {0} attempts before it', formatCount(count - 1));
  const more = count > 1 ? ` ${before}` : '';
  const text = h('span', null, t('Denied:'), ' ', target, more, ` — ${visible(last.reason)}`);
  return itemFrame('denied', 'blocked', at, { tone: 'bad' }, text);
}

function result({ at, data }: ResultItem, { showChanges }: ItemContext): HTMLElement {
  const { usage, commits, branch } = data;
  const facts = [
    t('worked for {0}', formatDuration(usage.wallMs)),
    t('{0} of CPU', formatDuration(usage.cpuMs)),
    t('{0} out, {1} in', formatBytes(usage.egressSentBytes), formatBytes(usage.egressReceivedBytes)),
    usage.inputTokens + usage.outputTokens > 0 &&
      t('{0} tokens in, {1} out', formatCount(usage.inputTokens), formatCount(usage.outputTokens)),
    commits.length === 1 && t('1 commit on {0}', visible(branch ?? '?')),
    commits.length > 1 && t('{0} commits on {1}', commits.length, visible(branch ?? '?')),
  ].filter((fact) => fact !== false);
  const open = h(
    'button',
    { class: 'link', type: 'button', 'data-focus': 'changes', onclick: showChanges },
    t('Show changes'),
  );
  return itemFrame(
    'result',
    'flag',
    at,
    {},
    h('p', { class: 'result-patch' }, h('strong', null, patchText(data.patch)), data.patch ? open : null),
    h('p', { class: 'dim' }, facts.join(' · ')),
  );
}

const NOTICE_ICONS = { quiet: 'info', good: 'check', warn: 'warning', bad: 'cross' } as const;

function notice({ at, tone, event }: NoticeItem): HTMLElement {
  const symbol =
    event.type === 'alert.raised' ? 'warning' : event.type.startsWith('terminal.') ? 'terminal' : NOTICE_ICONS[tone];
  return itemFrame('notice', symbol, at, { tone }, h('span', null, visible(summarize(event))));
}
