import * as vscode from 'vscode';
import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import { age, duration, formatBytes, formatCount, runTitle, stateLabel } from '../runs/presentation.ts';

const MAX_PROMPT = 600;

/** Everything that came from a run is appended as text: a prompt that contains a link or an image shows its letters. */
export function runTooltip(run: Run, now: number): vscode.MarkdownString {
  const { l10n } = vscode;
  const tooltip = new vscode.MarkdownString('', false);
  tooltip.isTrusted = false;
  tooltip.supportHtml = false;
  tooltip.appendMarkdown('**').appendText(runTitle(run)).appendMarkdown('**\n\n');
  tooltip.appendText(`${stateLabel(run, l10n)} · ${run.agent.name} · ${run.environment.name}`).appendMarkdown('\n\n');
  if (run.failure) tooltip.appendText(run.failure.message).appendMarkdown('\n\n');
  if (!run.sandboxed) tooltip.appendText(l10n.t('This run was not sandboxed.')).appendMarkdown('\n\n');
  tooltip.appendText(cut(run.prompt)).appendMarkdown('\n\n---\n\n');
  tooltip.appendText(facts(run, now).join(' · '));
  return tooltip;
}

function facts(run: Run, now: number): string[] {
  const { l10n } = vscode;
  const facts = [l10n.t('started {0}', age(Date.parse(run.createdAt), now, l10n))];
  if (run.startedAt !== undefined) {
    const end = isFinal(run.state) && run.endedAt !== undefined ? Date.parse(run.endedAt) : now;
    facts.push(l10n.t('took {0}', duration(end - Date.parse(run.startedAt), l10n)));
  }
  facts.push(l10n.t('{0} connections allowed, {1} denied', run.egress.allowed, run.egress.denied));
  facts.push(l10n.t('{0} processes', formatCount(run.processes)));
  if (run.patch)
    facts.push(l10n.t('{0} files changed ({1})', formatCount(run.patch.files), formatBytes(run.patch.bytes)));
  return facts;
}

function cut(text: string): string {
  return text.length > MAX_PROMPT ? `${text.slice(0, MAX_PROMPT)}…` : text;
}
