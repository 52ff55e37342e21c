import { isKnownEvent, type ClientEvent } from '../../../shared/client/event.ts';
import type { EventData, EventType } from '../../../shared/protocol/events.ts';
import type { RunStateName } from '../../../shared/run/state.ts';
import { formatBytes, formatCount, formatDuration } from '../../kit/format.ts';
import { t } from '../../kit/l10n.ts';

/** Long enough for a line, short enough that a filter over 100,000 of them stays quick. */
const MAX = 300;

const STATE_NAMES: Record<RunStateName, () => string> = {
  queued: () => t('Queued'),
  preparing: () => t('Preparing'),
  running: () => t('Running'),
  waiting: () => t('Waiting'),
  paused: () => t('Paused'),
  succeeded: () => t('Succeeded'),
  failed: () => t('Failed'),
  canceled: () => t('Canceled'),
  timed_out: () => t('Timed out'),
  over_budget: () => t('Over budget'),
};

export function stateName(state: RunStateName, waitingFor?: 'input' | 'approval'): string {
  if (state === 'waiting' && waitingFor === 'approval') return t('Waiting for approval');
  if (state === 'waiting' && waitingFor === 'input') return t('Waiting for you');
  return STATE_NAMES[state]();
}

const STEP_NAMES: Record<EventData<'sandbox.step'>['step'], () => string> = {
  source: () => t('Source'),
  setup: () => t('Setup script'),
  agent: () => t('Agent'),
  result: () => t('Result'),
};
export const stepName = (step: keyof typeof STEP_NAMES): string => STEP_NAMES[step]();

/** A host and port as one writes them; IPv6 in brackets (RFC 3986, section 3.2.2). */
export function hostAndPort(host: string, port?: number): string {
  const name = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port}`;
}

/** `argv` as one could type it; quoted where a word would otherwise fall apart. */
export function commandLine(argv: readonly string[], path: string): string {
  const words = argv.length > 0 ? argv : [path];
  return words
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`))
    .join(' ');
}

export function exitText({ exitCode, signal }: { exitCode?: number | undefined; signal?: number | undefined }): string {
  if (signal !== undefined && signal !== 0) return t('signal {0}', signal);
  return exitCode === undefined ? t('ended') : t('exit {0}', exitCode);
}

export function patchText(patch: EventData<'run.result'>['patch']): string {
  if (!patch) return t('No changes');
  const { files, insertions, deletions } = patch;
  const what = files === 1 ? t('1 file') : t('{0} files', formatCount(files));
  return `${what}, +${formatCount(insertions)} −${formatCount(deletions)}`;
}

const target = (data: EventData<'egress.allowed'>): string =>
  `${data.method && data.protocol !== 'connect' ? `${data.method} ` : ''}${hostAndPort(data.host, data.port)}${data.path ?? ''}`;

/** One entry for each type: a type that is added to the protocol and forgotten here does not compile. */
const SUMMARIES: { readonly [T in EventType]: (data: EventData<T>) => string } = {
  'run.created': (data) => data.title || data.prompt,
  'run.state': ({ to, waitingFor, failure }) =>
    `${stateName(to, waitingFor)}${failure ? `: ${failure.message} (${failure.code})` : ''}`,
  'run.message': ({ text }) => text,
  'run.result': ({ patch }) => patchText(patch),
  'sandbox.creating': ({ image, cpus, memoryMiB }) =>
    t('{0}, {1} CPU, {2} memory', image, cpus, formatBytes(memoryMiB * 1024 ** 2)),
  'sandbox.ready': ({ kernel, runtime, coldStartMs }) =>
    kernel.startsWith('gVisor')
      ? t('Sandbox ready in {0}: {1} ({2})', formatDuration(coldStartMs), kernel, runtime)
      : t('Container ready in {0}, without a sandbox: {1} ({2})', formatDuration(coldStartMs), kernel, runtime),
  'sandbox.step': ({ step, phase, exitCode, ms }) => {
    if (phase === 'started') return t('{0} started', stepName(step));
    const time = ms === undefined ? '' : `, ${formatDuration(ms)}`;
    return `${t('{0} finished', stepName(step))}${exitCode === undefined ? '' : `: ${exitText({ exitCode })}`}${time}`;
  },
  'sandbox.output': ({ text }) => text,
  'sandbox.exited': ({ reason, outOfMemory }) => (outOfMemory ? `${t('Out of memory')}: ${reason}` : reason),
  'sandbox.destroyed': ({ absent, ms }) => {
    const left = Object.entries(absent).flatMap(([thing, gone]) => (gone ? [] : [thing]));
    return left.length === 0
      ? t('Sandbox destroyed in {0}; nothing is left of it', formatDuration(ms))
      : t('Sandbox destroyed, but still there: {0}', left.join(', '));
  },
  'git.ready': ({ base, branch, files }) =>
    `${files === 1 ? t('1 file') : t('{0} files', formatCount(files))}, ${t('at {0}, branch {1}', base.slice(0, 12), branch)}`,
  'agent.started': ({ name, version }) => t('{0} started', version ? `${name} ${version}` : name),
  'agent.message': ({ text }) => text,
  'agent.thought': ({ text }) => text,
  'agent.plan': ({ entries }) =>
    t('{0} of {1} done', entries.filter((entry) => entry.status === 'completed').length, entries.length),
  'agent.tool_call': ({ title, kind }) => title || kind,
  'agent.tool_result': ({ status, title, text }) => `${status}: ${title ?? text}`,
  'agent.usage': ({ inputTokens, outputTokens }) =>
    t('{0} tokens in, {1} out', formatCount(inputTokens), formatCount(outputTokens)),
  'agent.stderr': ({ text }) => text,
  'agent.turn_ended': ({ reason, exitCode }) =>
    exitCode === undefined ? reason : `${reason}: ${exitText({ exitCode })}`,
  'egress.allowed': target,
  'egress.denied': (data) => `${target(data)}: ${data.reason}`,
  'egress.closed': ({ connection, sentBytes, receivedBytes, error }) =>
    t('{0}: {1} out, {2} in', connection, formatBytes(sentBytes), formatBytes(receivedBytes)) +
    (error ? `, ${error}` : ''),
  'process.exec': ({ pid, argv, path }) => `${pid} ${commandLine(argv, path)}`,
  'process.exit': (data) => `${data.pid} ${exitText(data)}`,
  'process.connect': ({ pid, process, address, port }) => `${pid} ${process} → ${hostAndPort(address, port)}`,
  'approval.requested': ({ title, kind }) => title || kind,
  'approval.resolved': ({ outcome, by }) => t('{0} by {1}', outcome, by),
  'terminal.opened': () => t('A terminal was opened in the sandbox'),
  'terminal.closed': ({ exitCode, ms }) =>
    t('The terminal was closed after {0}', formatDuration(ms)) +
    (exitCode === null ? '' : `: ${exitText({ exitCode })}`),
  'alert.raised': ({ rule, message }) => `${rule}: ${message}`,
  error: ({ code, message }) => `${code}: ${message}`,
};

/** An event in one line. Data of a type that is not known here is shown as it is. */
export function summarize(event: ClientEvent): string {
  const text = isKnownEvent(event)
    ? (SUMMARIES[event.type] as (data: unknown) => string)(event.data)
    : (JSON.stringify(event.data) ?? '');
  const line = text.length > MAX ? `${text.slice(0, MAX)}…` : text;
  return line.trim().replace(/\s+/g, ' ');
}
