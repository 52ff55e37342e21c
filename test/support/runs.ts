import type { Run } from '../../shared/protocol/rest.ts';

/** The id of the `n`th run; later runs have greater ids. */
export const runIdOf = (n: number) => `run_${String(n).padStart(26, '0')}`;

/** A run of the list as the API describes it. */
export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: runIdOf(1),
    title: 'Mend the parser',
    prompt: 'Mend the parser',
    state: 'running',
    agent: { id: 'agt_shell', name: 'shell' },
    environment: { id: `env_${'0'.repeat(26)}`, name: 'default' },
    source: { kind: 'none' },
    createdBy: { memberId: 'mem_me', keyId: 'key_1' },
    createdAt: '2026-03-10T10:00:00.000Z',
    lastSeq: 1,
    sandboxed: true,
    interactive: false,
    pendingApprovals: [],
    egress: { allowed: 0, denied: 0 },
    processes: 0,
    ...fields,
  };
}
