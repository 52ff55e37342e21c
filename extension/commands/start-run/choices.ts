import { z } from 'zod';

/** What was chosen last in a workspace, so that the next run starts with two keystrokes. */
const choices = z.object({
  environment: z.string().catch('default'),
  agent: z.string().optional().catch(undefined),
  source: z.enum(['workspace', 'branch', 'none']).catch('workspace'),
});
export type RememberedChoices = z.infer<typeof choices>;

export function parseChoices(stored: unknown): RememberedChoices {
  return choices.parse(typeof stored === 'object' && stored !== null ? stored : {});
}

export interface Named {
  readonly name: string;
}

/** The one of that name, or the first: what was remembered may have been deleted since. */
export function pickRemembered<T extends Named>(items: readonly T[], name: string | undefined): T | undefined {
  return items.find((item) => item.name === name) ?? items[0];
}

export interface AgentLike extends Named {
  readonly available: boolean;
}

/** Agents that can work come first; among them, those with a model before the one that only runs shell scripts. */
export function orderAgents<T extends AgentLike>(agents: readonly T[]): T[] {
  const rank = (agent: T) => (agent.available ? 0 : 2) + (agent.name === 'shell' ? 1 : 0);
  return [...agents].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

export interface Place {
  /** Relative to the workspace folder, with slashes. */
  readonly path: string;
  /** Lines from 1, where something is selected. */
  readonly lines?: { readonly first: number; readonly last: number };
}

/** The beginning of a prompt that was asked for at a place in the workspace. */
export function placePrefix({ path, lines }: Place): string {
  if (!lines) return `In ${path}: `;
  return lines.first === lines.last
    ? `In ${path}, line ${lines.first}: `
    : `In ${path}, lines ${lines.first}-${lines.last}: `;
}
