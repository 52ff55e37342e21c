import {
  isEventType,
  type EventOf,
  type EventType,
  type RunEvent,
  type UnknownEvent,
} from '../../../shared/protocol/events.ts';
import type { RunStateName } from '../../../shared/run/state.ts';
import { formatBytes, formatMs, formatOffset, plural } from './format.ts';
import { noPaint, type Paint, type Tone } from './paint.ts';
import { safeBlock, safeLine } from './safe-text.ts';

export interface RenderOptions {
  readonly paint?: Paint;
  /** The time that offsets are counted from: the run's creation (RFC 3339). */
  readonly start: string;
  /** Shows what is left out otherwise: ends of processes and connections, thoughts, token counts. */
  readonly verbose?: boolean;
}

/** One event as a person reads it. Every text in it has been made safe for a terminal. */
interface Rendering {
  readonly glyph: string;
  readonly tone: Tone;
  readonly lines: readonly string[];
  /** Shown only when asked for. */
  readonly detail?: boolean;
}

const MESSAGE_LINES = 60;
const OUTPUT_LINES = 12;

const say = (glyph: string, tone: Tone, ...lines: readonly string[]): Rendering => ({ glyph, tone, lines });
const detail = (glyph: string, ...lines: readonly string[]): Rendering => ({ glyph, tone: 'dim', lines, detail: true });

const STATES: Record<RunStateName, { readonly glyph: string; readonly tone: Tone; readonly text: string }> = {
  queued: { glyph: '○', tone: 'plain', text: 'Queued' },
  preparing: { glyph: '○', tone: 'plain', text: 'Preparing the sandbox' },
  running: { glyph: '●', tone: 'strong', text: 'Running' },
  waiting: { glyph: '?', tone: 'warn', text: 'Waiting' },
  paused: { glyph: '‖', tone: 'warn', text: 'Paused' },
  succeeded: { glyph: '✔', tone: 'good', text: 'Succeeded' },
  failed: { glyph: '✘', tone: 'bad', text: 'Failed' },
  canceled: { glyph: '✘', tone: 'warn', text: 'Canceled' },
  timed_out: { glyph: '✘', tone: 'bad', text: 'Ran out of time' },
  over_budget: { glyph: '✘', tone: 'bad', text: 'Ran out of budget' },
};

const SOURCES = { none: 'no source', git: 'a git clone', upload: 'an uploaded workspace' } as const;
const STEPS = {
  source: 'bringing the source in',
  setup: 'setup script',
  agent: 'agent',
  result: 'collecting the result',
};

const target = (data: EventOf<'egress.denied'>['data']) =>
  safeLine(
    `${data.method && data.protocol !== 'connect' ? `${data.method} ` : ''}${data.host}:${data.port}${data.path ?? ''}`,
  );

/** `argv` as one could type it; quoted where a word would otherwise fall apart. */
function commandLine(argv: readonly string[], path: string): string {
  const words = argv.length > 0 ? argv : [path];
  return safeLine(words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' '), 160);
}

/** One entry for each type: a type that is added to the protocol and forgotten here does not compile. */
const RENDERINGS: { readonly [T in EventType]: (data: EventOf<T>['data']) => Rendering } = {
  'run.created': (data) =>
    say(
      '▶',
      'strong',
      safeLine(data.title),
      `agent ${safeLine(data.agent.name)}, environment ${safeLine(data.environment.name)}, ${SOURCES[data.source.kind]}, ` +
        `network ${data.network.mode}`,
      ...(data.sandboxed ? [] : ['WARNING: this run has NO sandbox (the server allows it)']),
      ...(data.operatorExceptions.length > 0
        ? [`operator’s exceptions: ${safeLine(data.operatorExceptions.join(', '))}`]
        : []),
    ),
  'run.state': ({ to, waitingFor, failure }) => {
    const { glyph, tone, text } = STATES[to];
    const waiting = waitingFor === 'input' ? ' for a message' : waitingFor === 'approval' ? ' for an approval' : '';
    const why = failure ? `: ${safeLine(failure.message, 500)} (${failure.code})` : '';
    return say(glyph, tone, `${text}${waiting}${why}`);
  },
  'run.message': ({ text }) => say('»', 'accent', ...safeBlock(text, MESSAGE_LINES)),
  'run.result': ({ patch, commits, usage, branch }) =>
    say(
      '◆',
      'strong',
      patch
        ? `Patch: ${plural(patch.files, 'file')}, +${patch.insertions} −${patch.deletions}` +
            (commits.length > 0 ? `, ${plural(commits.length, 'commit')} on ${safeLine(branch ?? '?')}` : '')
        : 'No changes',
      ...(patch?.paths.slice(0, 10).map((path) => `  ${safeLine(path)}`) ?? []),
      `Usage: ${formatMs(usage.wallMs)}, CPU ${formatMs(usage.cpuMs)}, ` +
        `network ${formatBytes(usage.egressSentBytes)} out, ${formatBytes(usage.egressReceivedBytes)} in` +
        (usage.inputTokens + usage.outputTokens > 0
          ? `, tokens ${usage.inputTokens} in, ${usage.outputTokens} out`
          : ''),
    ),

  'sandbox.creating': ({ image, cpus, memoryMiB, diskMiB }) =>
    say(
      '□',
      'dim',
      `Sandbox: ${safeLine(image)}, ${plural(cpus, 'CPU')}, ${formatBytes(memoryMiB * 1024 ** 2)} memory, ` +
        `${formatBytes(diskMiB * 1024 ** 2)} disk`,
    ),
  'sandbox.ready': ({ kernel, coldStartMs, runtime }) =>
    say('■', 'good', `Sandbox ready in ${formatMs(coldStartMs)}: ${safeLine(kernel)} (${safeLine(runtime)})`),
  'sandbox.step': ({ step, phase, exitCode, ms }) => {
    if (phase === 'started') return detail('·', `Started: ${STEPS[step]}`);
    const failed = exitCode !== undefined && exitCode !== 0;
    const time = ms === undefined ? '' : ` in ${formatMs(ms)}`;
    return failed
      ? say('!', 'bad', `Failed with ${exitCode}${time}: ${STEPS[step]}`)
      : detail('·', `Done${time}: ${STEPS[step]}`);
  },
  'sandbox.output': ({ stream, text }) =>
    say('│', stream === 'stderr' ? 'warn' : 'dim', ...safeBlock(text, OUTPUT_LINES)),
  'sandbox.exited': ({ reason, exitCode }) =>
    say('!', 'bad', `The sandbox ended${exitCode === null ? '' : ` with ${exitCode}`}: ${safeLine(reason)}`),
  'sandbox.destroyed': ({ absent, ms }) => {
    const left = Object.entries(absent).flatMap(([thing, gone]) => (gone ? [] : [thing]));
    return left.length === 0
      ? say('□', 'dim', `Sandbox destroyed in ${formatMs(ms)}; nothing is left of it`)
      : say('!', 'bad', `Sandbox destroyed, but still there: ${left.join(', ')}`);
  },

  'git.ready': ({ base, branch, files }) =>
    say('□', 'dim', `Source: ${plural(files, 'file')} at ${safeLine(base.slice(0, 12))}, branch ${safeLine(branch)}`),

  'agent.started': ({ name, version }) =>
    say('●', 'agent', `${safeLine(name)}${version ? ` ${safeLine(version)}` : ''} started`),
  'agent.message': ({ text }) => say('┃', 'agent', ...safeBlock(text, MESSAGE_LINES)),
  'agent.thought': ({ text }) => ({ ...detail('┆', ...safeBlock(text, OUTPUT_LINES)) }),
  'agent.plan': ({ entries }) =>
    say(
      '☰',
      'agent',
      ...entries.slice(0, 30).map((entry) => {
        const mark = entry.status === 'completed' ? '✔' : entry.status === 'in_progress' ? '›' : '·';
        return `${mark} ${safeLine(entry.content)}`;
      }),
    ),
  'agent.tool_call': ({ title, kind, paths }) => {
    const where = paths.length > 0 ? `  ${safeLine(paths.join(' '), 120)}` : '';
    return say('⚒', 'agent', `${safeLine(title)}  [${safeLine(kind)}]${where}`);
  },
  'agent.tool_result': ({ status, text, title }) => {
    const failed = status === 'failed';
    const lines = text.trim() === '' ? [] : safeBlock(text, OUTPUT_LINES);
    const heading = failed ? [`Failed${title ? `: ${safeLine(title)}` : ''}`] : [];
    const all = [...heading, ...lines];
    return all.length === 0 ? detail('└', safeLine(status)) : say('└', failed ? 'bad' : 'plain', ...all);
  },
  'agent.usage': ({ inputTokens, outputTokens }) => detail('·', `Tokens: ${inputTokens} in, ${outputTokens} out`),
  'agent.stderr': ({ text }) => say('│', 'warn', ...safeBlock(text, OUTPUT_LINES)),
  'agent.turn_ended': ({ reason, exitCode }) =>
    exitCode === undefined || exitCode === 0
      ? detail('·', `The agent’s turn ended: ${safeLine(reason)}`)
      : say('!', 'bad', `The agent’s turn ended: ${safeLine(reason)}, exit code ${exitCode}`),

  'egress.allowed': (data) => say('→', 'good', `Allowed ${target(data)}  (${safeLine(data.rule)})`),
  'egress.denied': (data) =>
    say('⊘', 'bad', `Denied ${target(data)}  (${safeLine(data.rule)}): ${safeLine(data.reason)}`),
  'egress.closed': ({ sentBytes, receivedBytes, ms, error }) => {
    const text = `Connection closed: ${formatBytes(sentBytes)} out, ${formatBytes(receivedBytes)} in, ${formatMs(ms)}`;
    return error ? say('!', 'warn', `${text}: ${safeLine(error)}`) : detail('·', text);
  },

  'process.exec': ({ pid, argv, path, truncated }) =>
    say('$', 'dim', `${commandLine(argv, path)}${truncated ? ' …' : ''}  [${pid}]`),
  'process.exit': ({ pid, exitCode, signal }) =>
    detail(
      '·',
      `Process ${pid} ended${signal ? ` by signal ${signal}` : exitCode === undefined ? '' : ` with ${exitCode}`}`,
    ),
  'process.connect': ({ process, address, port }) =>
    detail('·', `${safeLine(process)} connects to ${safeLine(address)}${port === undefined ? '' : `:${port}`}`),

  'approval.requested': ({ title, options, approvalId }) =>
    say(
      '?',
      'warn',
      `May the agent do this?  ${safeLine(title)}`,
      `${options.map((option) => safeLine(option.name, 60)).join(' / ')}  (${safeLine(approvalId, 80)})`,
    ),
  'approval.resolved': ({ outcome, by }) =>
    say(
      outcome === 'allowed' ? '✔' : '✘',
      outcome === 'allowed' ? 'good' : 'warn',
      `Approval ${outcome} by ${safeLine(by)}`,
    ),

  'terminal.opened': () => say('▶', 'warn', 'A person opened a shell in the sandbox'),
  'terminal.closed': ({ exitCode, ms }) =>
    detail('■', `The shell ended after ${formatMs(ms)} (exit code ${exitCode ?? 'unknown'})`),
  'alert.raised': ({ rule, message }) => say('▲', 'warn', `Alert: ${safeLine(message, 500)} (${safeLine(rule)})`),
  error: ({ code, message }) => say('!', 'bad', `${safeLine(message, 500)} (${safeLine(code)})`),
};

const SPEAKERS: Record<string, Tone> = { agent: 'agent', kernel: 'dim', gateway: 'accent', server: 'dim' };
const SPEAKER_WIDTH = 7;
const OFFSET_WIDTH = 7;
/** Below the text, so that a message of several lines stays one block; no text can pretend to be a line of its own. */
const INDENT = ' '.repeat(2 + OFFSET_WIDTH + 1 + SPEAKER_WIDTH + 2);

function rendering(event: RunEvent | UnknownEvent): Rendering {
  if (isEventType(event.type)) {
    // An indexed access type does not narrow with its key; `parseEvent` has matched the two.
    return (RENDERINGS[event.type] as (data: unknown) => Rendering)(event.data);
  }
  return say(
    '·',
    'dim',
    `${safeLine(event.type.slice('unknown:'.length))}: ${safeLine(JSON.stringify(event.data) ?? '')}`,
  );
}

/**
 * The lines that show one event: a mark, when, who says so (the agent's words are claims; kernel and gateway saw it
 * happen), and what. Empty for what is left out without `verbose`.
 */
export function renderEvent(event: RunEvent | UnknownEvent, options: RenderOptions): string[] {
  const { glyph, tone, lines, detail } = rendering(event);
  if (detail && !options.verbose) return [];
  const paint = options.paint ?? noPaint;
  const speaker = event.actor.startsWith('key:') ? 'person' : event.actor;
  const head =
    `${paint(tone, glyph)} ${paint('dim', formatOffset(options.start, event.at).padStart(OFFSET_WIDTH))} ` +
    `${paint(SPEAKERS[speaker] ?? 'accent', speaker.padEnd(SPEAKER_WIDTH))}  `;
  const texts = lines.length === 0 ? [''] : lines;
  return texts.map((line, i) => `${i === 0 ? head : INDENT}${paint(tone, line)}`.trimEnd());
}
