import { CaissonError } from '../../../shared/protocol/errors.ts';
import { Cleanup } from '../../base/lifecycle.ts';
import { setUp } from '../../setup/setup.ts';
import { measureAppend } from './append.ts';
import { measureColdStart } from './cold-start.ts';
import { measureEgress, startUpstream } from './egress.ts';
import type { Measurement } from './measure.ts';
import { measureMemory } from './memory.ts';
import { measureStream } from './stream.ts';
import { openBenchWorld, RUNTIME, type BenchWorld } from './world.ts';

const MEASURES = {
  start: measureColdStart,
  append: measureAppend,
  stream: measureStream,
  egress: measureEgress,
  memory: measureMemory,
} as const satisfies Record<string, (world: BenchWorld) => Promise<Measurement[]>>;

type Part = keyof typeof MEASURES;
export const PARTS = Object.keys(MEASURES) as Part[];

/** @returns the exit code: 0 only if every target was met */
export async function bench(parts: readonly string[], { json }: { json: boolean }): Promise<number> {
  const out = json ? process.stderr : process.stdout;
  const say = (line: string) => void out.write(`${line}\n`);
  const wanted = parts.length === 0 ? PARTS : parts.map(toPart);
  const ready = await setUp(
    { yes: true, dryRun: false, runtimes: [RUNTIME], agents: [] },
    { write: (text) => void out.write(text), interactive: out.isTTY },
  );
  if (ready === 'by hand') return 1;

  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort(new Error('The bench was interrupted.')));
  const measurements: Measurement[] = [];
  for (const part of wanted) {
    const cleanup = new Cleanup();
    try {
      const upstream = await startUpstream(cleanup);
      const world = await openBenchWorld(
        { CAISSON_EGRESS_PRIVATE_HOSTS: upstream.exception },
        { cleanup, say, signal: interrupted.signal },
      );
      say(`\n${part}`);
      for (const measurement of await MEASURES[part](world)) {
        measurements.push(measurement);
        say(`  ${describe(measurement)}`);
      }
    } finally {
      await cleanup.run();
    }
  }
  if (json) process.stdout.write(`${JSON.stringify({ measurements })}\n`);
  const missed = measurements.filter((measurement) => !measurement.met);
  say(
    missed.length === 0
      ? '\nEvery target was met.'
      : `\n${missed.length} of ${measurements.length} targets were missed: ${missed.map((one) => one.name).join(', ')}.`,
  );
  return missed.length === 0 ? 0 : 1;
}

function toPart(text: string): Part {
  const found = PARTS.find((part) => part === text);
  if (!found)
    throw new CaissonError(
      'invalid_request',
      `There is no measurement ${JSON.stringify(text)}. There are: ${PARTS.join(', ')}.`,
    );
  return found;
}

function describe({ name, value, unit, bare, ratio, target, met }: Measurement): string {
  const compared = bare ? `, ${bare.what} ${bare.value} ${unit}` : '';
  const shownRatio = ratio === undefined ? '' : `, ratio ${ratio}`;
  return `${met ? '✔' : '✘'} ${name}: ${value} ${unit}${compared}${shownRatio} (target: ${target})`;
}
