import * as vscode from 'vscode';
import { z } from 'zod';

const settings = z.object({
  notifications: z.enum(['all', 'waiting', 'none']).catch('all'),
  interactive: z.boolean().catch(false),
  confirmUploadAboveMiB: z.number().min(0).catch(50),
  refreshIntervalSeconds: z.number().min(10).max(3600).catch(30),
});
export type Settings = z.infer<typeof settings>;

/** The user's settings; a value of the wrong kind (settings.json is written by hand) counts as not set. */
export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration('caisson');
  return settings.parse({
    notifications: configuration.get('notifications'),
    interactive: configuration.get('run.interactive'),
    confirmUploadAboveMiB: configuration.get('upload.confirmAboveMiB'),
    refreshIntervalSeconds: configuration.get('runs.refreshInterval'),
  });
}

/** Git as the user told VS Code's own git extension to find it. */
export function gitProgram(): string {
  const path = vscode.workspace.getConfiguration('git').get<unknown>('path');
  const first: unknown = Array.isArray(path) ? path[0] : path;
  return typeof first === 'string' && first.trim() !== '' ? first : 'git';
}
