import * as z from 'zod';

/**
 * What the page remembers while it is hidden and over a reload: where one was, not what the run did, which the host
 * sends again. Kept by an older version or damaged, each part falls back by itself.
 */
export const tabIds = ['transcript', 'changes', 'egress', 'processes', 'audit'] as const;
export type TabId = (typeof tabIds)[number];

const position = z.union([
  z.object({ end: z.literal(true) }),
  z.object({ end: z.literal(false), key: z.string(), offset: z.number() }),
]);
const text = z.string().max(200).catch('');

const uiState = z.object({
  runId: z.string(),
  server: z.string(),
  tab: z.enum(tabIds).catch('transcript'),
  draft: z.string().max(100_000).catch(''),
  expanded: z
    .array(z.tuple([z.string(), z.boolean()]))
    .max(500)
    .catch([]),
  positions: z.partialRecord(z.enum(tabIds), position).catch({}),
  egress: z.object({ decision: z.enum(['all', 'allowed', 'denied']), text }).catch({ decision: 'all', text: '' }),
  processes: z.object({ kind: z.enum(['all', 'exec', 'connect']), text }).catch({ kind: 'all', text: '' }),
  audit: z.object({ family: z.string(), text }).catch({ family: 'all', text: '' }),
});
export type UiState = z.infer<typeof uiState>;

/** The state that was kept for this run, or a new one. */
export function restoreUiState(kept: unknown, runId: string, server: string): UiState {
  const parsed = uiState.safeParse(kept);
  if (parsed.success && parsed.data.runId === runId && parsed.data.server === server) return parsed.data;
  return uiState.parse({ runId, server });
}
