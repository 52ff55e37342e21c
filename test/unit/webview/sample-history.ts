import type { Run } from '../../../shared/protocol/rest.ts';
import { RUN_STATES } from '../../../shared/run/state.ts';

const members = [
  { id: 'mem_1', name: 'Ada Okafor' },
  { id: 'mem_2', name: 'Jun Sato' },
];
const environments = [
  { id: 'env_1', name: 'default' },
  { id: 'env_2', name: 'node-22' },
];
const TITLES = [
  'Fix the failing tests and publish',
  'Update every dependency to its latest minor version, and mend what breaks',
  'Why is the build slow?',
  'Translate the README',
];

export function sampleRow(n: number, changes: Partial<Run> = {}): Run {
  const state = RUN_STATES[n % RUN_STATES.length]!;
  const created = Date.UTC(2026, 10, 22, 9) - n * 3_600_000;
  const ended = n % RUN_STATES.length >= 5;
  return {
    id: `run_01jx${String(n).padStart(22, '0')}`,
    title: TITLES[n % TITLES.length]!,
    prompt: 'Do it',
    state,
    ...(state === 'waiting' && { waitingFor: 'approval' as const }),
    ...(state === 'failed' && {
      failure: { code: 'setup_failed' as const, message: 'The setup script ended with 1.' },
    }),
    agent: n % 3 === 1 ? { id: 'shell', name: 'shell' } : { id: 'claude', name: 'claude' },
    environment: environments[n % 2]!,
    source: { kind: 'none' },
    createdBy: { memberId: members[n % 2]!.id, keyId: 'key_1' },
    createdAt: new Date(created).toISOString(),
    startedAt: new Date(created + 2000).toISOString(),
    ...(ended && { endedAt: new Date(created + 90_000 + n * 1000).toISOString() }),
    lastSeq: 10,
    sandboxed: true,
    interactive: false,
    pendingApprovals: [],
    egress: { allowed: n * 3, denied: n % 4 },
    processes: n,
    ...(ended && {
      usage: {
        wallMs: 88_000 + n * 1000,
        cpuMs: 5000,
        egressSentBytes: 1,
        egressReceivedBytes: 2,
        inputTokens: 1000 * n,
        outputTokens: 10 * n,
      },
      patch: { files: 1, insertions: n, deletions: 1, bytes: 10, sha256: 'a'.repeat(64), paths: ['a'] },
    }),
    ...changes,
  };
}

export const sampleHistory = {
  names: { members, environments },
  rows: Array.from({ length: 40 }, (_, n) => sampleRow(n)),
};
