import { relative, sep } from 'node:path';
import * as vscode from 'vscode';
import type { Agent, Environment, Run } from '../../../shared/protocol/rest.ts';
import { localFolders } from '../../diff/workspace-folders.ts';
import type { Services } from '../../services.ts';
import { gitProgram, readSettings } from '../../support/settings.ts';
import { orderAgents, parseChoices, pickRemembered, placePrefix } from './choices.ts';
import { activePrompt, askPrompt, closePrompt } from './prompt.ts';
import { pickSource, provideSource, sourceLabel, whyNotFromHere, type SourceChoice } from './source.ts';

const CHOICES_KEY = 'caisson.startRun';

interface Plan {
  readonly environment: Environment;
  readonly agent: Agent;
  readonly source: SourceChoice;
  readonly interactive: boolean;
}

/** From a prompt to a run. @returns undefined when the user thought better of it */
export async function startRun(services: Services, resource?: vscode.Uri): Promise<Run | undefined> {
  await services.session();
  const { draft } = services;
  const place = prefix(resource);
  const prompt = await askPrompt(place === '' ? { proposed: draft.text } : { begun: place });
  if (prompt === undefined) return undefined;
  draft.text = prompt;
  const run = await planAndStart(services, prompt, resource);
  if (run) draft.text = '';
  return run;
}

/** The same with the prompt that was written in an editor. */
export async function startRunFromEditor(services: Services): Promise<Run | undefined> {
  const document = activePrompt();
  const prompt = document?.getText() ?? '';
  if (!document || prompt.trim() === '') throw new Error(vscode.l10n.t('The prompt is empty.'));
  await services.session();
  const run = await planAndStart(services, prompt);
  if (run) await closePrompt(document);
  return run;
}

async function planAndStart(services: Services, prompt: string, resource?: vscode.Uri): Promise<Run | undefined> {
  const session = await services.session();
  const [environments, agents] = await Promise.all([
    session.call((client) => client.environments.list({ limit: 200 })),
    session.call((client) => client.agents.list({ limit: 200 })),
  ]);
  const remembered = parseChoices(services.workspaceMemory.get(CHOICES_KEY));
  const orderedAgents = orderAgents(agents.items);
  const environment = pickRemembered(environments.items, remembered.environment);
  const agent = pickRemembered(orderedAgents, remembered.agent);
  if (!environment || !agent) throw new Error(vscode.l10n.t('The server has no environment or no agent yet.'));
  const source = initialSource(remembered.source, resource);
  const first: Plan = { environment, agent, source, interactive: readSettings().interactive };
  const plan = await confirmPlan(services, first, environments.items, orderedAgents, resource);
  if (!plan) return undefined;
  const { kind } = plan.source;
  await services.workspaceMemory.update(CHOICES_KEY, {
    environment: plan.environment.name,
    agent: plan.agent.name,
    source: kind,
  });
  const input = await provideSource(plan.source, session, gitProgram(), services.log);
  if (!input) return undefined;
  const run = await session.call((client) =>
    client.runs.create({
      prompt,
      environment: plan.environment.id,
      agent: plan.agent.id,
      source: input,
      interactive: plan.interactive,
    }),
  );
  if (plan.source.kind === 'workspace') await services.folders.remember(run.id, plan.source.folder.uri);
  services.store.add(run);
  services.panels.openRun(run.id);
  return run;
}

/** The folder of the resource that was clicked on, or the first one; nothing where nothing may be read from it. */
function initialSource(kind: SourceChoice['kind'], resource: vscode.Uri | undefined): SourceChoice {
  const clicked = resource && vscode.workspace.getWorkspaceFolder(resource);
  const folder = clicked?.uri.scheme === 'file' ? clicked : localFolders()[0];
  // A branch is chosen anew each time; a resource that was clicked on says that its folder is meant.
  if (!folder || whyNotFromHere() !== undefined || (kind === 'none' && !clicked)) return { kind: 'none' };
  return { kind: 'workspace', folder };
}

/** Everything at a glance, Enter starts; choosing a line changes it. */
async function confirmPlan(
  services: Services,
  first: Plan,
  environments: readonly Environment[],
  agents: readonly Agent[],
  resource: vscode.Uri | undefined,
): Promise<Plan | undefined> {
  let plan = first;
  for (;;) {
    const chosen = await vscode.window.showQuickPick(planItems(plan), {
      title: vscode.l10n.t('Start Run'),
      placeHolder: vscode.l10n.t('Press Enter to start, or choose what to change'),
      ignoreFocusOut: true,
    });
    switch (chosen?.part) {
      case undefined:
        return undefined;
      case 'start':
        return checkPlan(plan);
      case 'source': {
        const clicked = resource && vscode.workspace.getWorkspaceFolder(resource);
        const folder = clicked?.uri.scheme === 'file' ? clicked : undefined;
        plan = { ...plan, source: (await pickSource(await services.git(), folder)) ?? plan.source };
        break;
      }
      case 'environment':
        plan = { ...plan, environment: (await pickEnvironment(environments)) ?? plan.environment };
        break;
      case 'agent':
        plan = { ...plan, agent: (await pickAgent(agents)) ?? plan.agent };
        break;
      case 'interactive':
        plan = { ...plan, interactive: !plan.interactive };
        break;
    }
  }
}

function checkPlan(plan: Plan): Plan {
  if (!plan.agent.available)
    throw new Error(
      vscode.l10n.t('The agent {0} is not installed on the server. Choose another one.', plan.agent.name),
    );
  return plan;
}

interface PlanItem extends vscode.QuickPickItem {
  readonly part: 'start' | 'source' | 'environment' | 'agent' | 'interactive';
}

function planItems({ environment, agent, source, interactive }: Plan): PlanItem[] {
  const { l10n } = vscode;
  const reason = source.kind === 'none' ? whyNotFromHere() : undefined;
  return [
    { part: 'start', label: l10n.t('$(play) Start'), detail: l10n.t('{0} in {1}', agent.name, environment.name) },
    {
      part: 'source',
      label: l10n.t('$(repo) Source'),
      description: sourceLabel(source),
      ...(reason !== undefined && { detail: reason }),
    },
    {
      part: 'environment',
      label: l10n.t('$(server-environment) Environment'),
      description: environment.name,
    },
    {
      part: 'agent',
      label: l10n.t('$(robot) Agent'),
      description: agent.available ? agent.name : l10n.t('{0} (not installed on the server)', agent.name),
    },
    {
      part: 'interactive',
      label: l10n.t('$(comment-discussion) Follow-up'),
      description: interactive
        ? l10n.t('The run waits for further messages')
        : l10n.t('The run ends when the agent has finished'),
    },
  ];
}

async function pickEnvironment(environments: readonly Environment[]): Promise<Environment | undefined> {
  const items = environments.map((environment) => ({
    label: environment.name,
    description: vscode.l10n.t('network: {0}', environment.network.mode),
    detail: environment.description,
    environment,
  }));
  const title = vscode.l10n.t('In which environment?');
  return (await vscode.window.showQuickPick(items, { title, matchOnDetail: true, ignoreFocusOut: true }))?.environment;
}

async function pickAgent(agents: readonly Agent[]): Promise<Agent | undefined> {
  const items = agents.map((agent) => ({
    label: agent.name,
    description: agent.available ? (agent.model ?? '') : vscode.l10n.t('not installed on the server'),
    detail: agent.description,
    agent,
  }));
  const title = vscode.l10n.t('Which agent?');
  return (await vscode.window.showQuickPick(items, { title, matchOnDetail: true, ignoreFocusOut: true }))?.agent;
}

/** Started from an editor or the explorer, the prompt begins with the place. */
function prefix(resource: vscode.Uri | undefined): string {
  const folder = resource && vscode.workspace.getWorkspaceFolder(resource);
  if (!folder || resource.toString() === folder.uri.toString()) return '';
  const path = relative(folder.uri.path, resource.path).split(sep).join('/');
  const editor = vscode.window.activeTextEditor;
  const selection = editor?.document.uri.toString() === resource.toString() ? editor.selection : undefined;
  if (!selection || selection.isEmpty) return placePrefix({ path });
  return placePrefix({ path, lines: { first: selection.start.line + 1, last: selection.end.line + 1 } });
}
