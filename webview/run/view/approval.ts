import type { ApprovalOption } from '../../../shared/protocol/events.ts';
import { h } from '../../kit/dom.ts';
import { t } from '../../kit/l10n.ts';
import { button } from '../../kit/toolkit.ts';
import { json, visible } from '../../kit/visible.ts';
import type { ApprovalItem } from '../model/items.ts';
import { block, itemFrame } from './item-parts.ts';
import type { Page } from './page.ts';

type Answer = { readonly state: 'sending' } | { readonly state: 'failed'; readonly message: string };

/** The answers that were given here and are not in the log yet. */
export interface Answers {
  of(approvalId: string): Answer | undefined;
  give(item: ApprovalItem, option: ApprovalOption): void;
}

export function createAnswers(page: Page, redraw: (key: string) => void): Answers {
  const given = new Map<string, Answer>();
  async function give({ key, approvalId }: ApprovalItem, option: ApprovalOption): Promise<void> {
    if (given.get(approvalId)?.state === 'sending') return;
    given.set(approvalId, { state: 'sending' });
    redraw(key);
    const { ok, message = t('The answer was not accepted.') } = await page.host.ask({
      type: 'approve',
      approvalId,
      optionId: option.id,
    });
    // Where it was accepted, the log says so in a moment, and the buttons go with that.
    if (ok) return page.announcer.say(t('Answered: {0}', visible(option.name)));
    given.set(approvalId, { state: 'failed', message });
    page.announcer.interrupt(message);
    redraw(key);
  }
  return {
    of: (approvalId) => given.get(approvalId),
    give: (item, option) => void give(item, option),
  };
}

const OUTCOMES = {
  allowed: () => t('Allowed'),
  rejected: () => t('Rejected'),
  canceled: () => t('Not answered'),
};

function by(actor: string, { self }: Page): string {
  if (actor === 'auto') return t('the environment');
  return actor === self ? t('you') : visible(actor);
}

/** The question, what exactly would be done, and a button for each answer that the agent offers. */
export function approval(item: ApprovalItem, page: Page, answers: Answers): HTMLElement {
  const { resolved, options, approvalId } = item;
  const answer = answers.of(approvalId);
  const title = visible(item.title || item.toolKind);
  const label = resolved ? t('Approval') : t('Approval needed');
  const outcome =
    resolved &&
    h(
      'p',
      { class: resolved.outcome === 'allowed' ? 'tone-good' : 'tone-warn' },
      resolved.outcome === 'canceled'
        ? OUTCOMES.canceled()
        : t('{0} by {1}', OUTCOMES[resolved.outcome](), by(resolved.by, page)),
    );
  const buttons = options.map((option) =>
    button(visible(option.name), () => answers.give(item, option), {
      primary: option.kind === 'allow_once',
      disabled: page.readOnly || answer?.state === 'sending',
      'data-focus': `answer-${option.id}`,
      'aria-label': `${visible(option.name)}: ${title}`,
    }),
  );
  return itemFrame(
    resolved ? 'approval' : 'approval is-open',
    'shield',
    item.at,
    { label },
    h('p', { class: 'approval-title' }, title),
    item.input === undefined ? null : block(json(item.input), t('What would be done')),
    outcome ?? h('div', { class: 'buttons', role: 'group', 'aria-label': label }, ...buttons),
    answer?.state === 'failed' && !resolved ? h('p', { class: 'tone-bad' }, answer.message) : null,
  );
}
