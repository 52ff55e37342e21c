import {
  eventTypes,
  type Actor,
  type EventData,
  type EventOf,
  type EventType,
  type RunEvent,
} from '../../shared/protocol/events.ts';

export const RUN_ID = 'run_01jx0000000000000000000000';

const connection = {
  connection: 'c1',
  protocol: 'connect' as const,
  host: 'example.com',
  port: 443,
  rule: 'patterns[0]',
  reason: 'example.com is on the list',
};

/** One well-formed `data` for each type, for tests that must see every type. */
export const sampleData: { readonly [T in EventType]: EventData<T> } = {
  'run.created': {
    prompt: 'Make the tests pass',
    title: 'Make the tests pass',
    agent: { id: 'shell', name: 'shell' },
    environment: { id: 'env_01jx0000000000000000000000', name: 'default' },
    source: { kind: 'upload', uploadId: 'upl_01jx0000000000000000000000' },
    network: { mode: 'allowlist', groups: ['git'], patterns: ['example.com'] },
    operatorExceptions: [],
    approval: 'ask',
    interactive: false,
    timeLimitSeconds: 3600,
    sandboxed: true,
  },
  'run.state': { from: 'queued', to: 'preparing' },
  'run.message': { text: 'And the linter' },
  'run.result': {
    patch: { files: 1, insertions: 2, deletions: 1, bytes: 120, sha256: 'a'.repeat(64), paths: ['src/add.js'] },
    commits: [{ id: 'b'.repeat(40), subject: 'Fix add' }],
    bundle: { bytes: 900, sha256: 'c'.repeat(64) },
    base: 'd'.repeat(40),
    branch: 'caisson/run',
    usage: { wallMs: 1500, cpuMs: 700, egressSentBytes: 10, egressReceivedBytes: 20, inputTokens: 0, outputTokens: 0 },
  },
  'sandbox.creating': {
    image: 'caisson/sandbox',
    runtime: 'caisson',
    cpus: 2,
    memoryMiB: 2048,
    diskMiB: 5120,
    maxProcesses: 1024,
  },
  'sandbox.ready': { sandboxId: 'sbx1', runtime: 'caisson', kernel: 'gVisor (Linux version 4.4.0)', coldStartMs: 512 },
  'sandbox.step': { step: 'setup', phase: 'finished', exitCode: 0, ms: 40 },
  'sandbox.output': { step: 'setup', stream: 'stdout', text: 'installing\n' },
  'sandbox.exited': { exitCode: 137, outOfMemory: true, reason: 'The sandbox used more memory than its limit' },
  'sandbox.destroyed': { absent: { container: true, mount: true, loopDevice: true, socket: true }, ms: 90 },
  'git.ready': { base: 'd'.repeat(40), branch: 'caisson/run', files: 12 },
  'agent.started': { name: 'shell', protocol: 'shell' },
  'agent.message': { text: 'I fixed it.\nAll tests pass.' },
  'agent.thought': { text: 'The sign is wrong.' },
  'agent.plan': { entries: [{ content: 'Run the tests', status: 'completed', priority: 'high' }] },
  'agent.tool_call': { id: 't1', title: 'npm test', kind: 'execute', status: 'in_progress', paths: ['package.json'] },
  'agent.tool_result': { id: 't1', status: 'completed', text: 'ok 1\nok 2' },
  'agent.usage': { inputTokens: 100, outputTokens: 20 },
  'agent.stderr': { text: 'warning: deprecated' },
  'agent.turn_ended': { reason: 'end_turn', exitCode: 0 },
  'egress.allowed': { ...connection, address: '93.184.216.34' },
  'egress.denied': { ...connection, host: '169.254.169.254', rule: 'address.link-local', reason: 'metadata address' },
  'egress.closed': { connection: 'c1', sentBytes: 10, receivedBytes: 2000, ms: 12 },
  'process.exec': { pid: 7, parentPid: 1, path: '/usr/bin/npm', argv: ['npm', 'test'], cwd: '/workspace', uid: 10001 },
  'process.exit': { pid: 7, exitCode: 0 },
  'process.connect': { pid: 7, process: 'curl', family: 'AF_INET', address: '127.0.0.1', port: 3128 },
  'approval.requested': {
    approvalId: 'apr_1',
    toolCallId: 't1',
    title: 'Run npm publish',
    kind: 'execute',
    options: [
      { id: 'yes', name: 'Allow', kind: 'allow_once' },
      { id: 'no', name: 'Reject', kind: 'reject_once' },
    ],
  },
  'approval.resolved': { approvalId: 'apr_1', outcome: 'allowed', optionId: 'yes', by: 'key:key_1' },
  'terminal.opened': { terminalId: 'terminal-1' },
  'terminal.closed': { terminalId: 'terminal-1', exitCode: 0, ms: 1200 },
  'alert.raised': { rule: 'unexplained_process', message: 'A process that the agent did not name' },
  error: { code: 'internal', message: 'Something failed' },
};

const ACTORS: Record<string, Actor> = { agent: 'agent', egress: 'gateway', process: 'kernel' };

/** A well-formed event; its hash is of the right form but proves nothing. */
export function runEvent<T extends EventType>(seq: number, type: T, data: EventData<T> = sampleData[type]): EventOf<T> {
  const event = {
    runId: RUN_ID,
    seq,
    at: new Date(Date.UTC(2025, 0, 1) + seq * 250).toISOString(),
    type,
    actor: ACTORS[type.split('.')[0]!] ?? 'server',
    data,
    nonce: '0'.repeat(32),
    hash: '0'.repeat(64),
  };
  return event as unknown as EventOf<T>;
}

/** One event of each type, in the protocol's order, from seq 1. */
export function everyEvent(): RunEvent[] {
  return eventTypes.map((type, i) => runEvent(i + 1, type) as RunEvent);
}
