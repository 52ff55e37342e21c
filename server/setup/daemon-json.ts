import { SetupError } from './step.ts';

export interface RuntimeEntry {
  readonly path: string;
  readonly runtimeArgs: readonly string[];
}

type Json = Record<string, unknown>;

/**
 * The engine's configuration with our runtime entries added. Everything else in it stays as it is, byte order of keys
 * included. Returns undefined when the entries are already there.
 * @throws {SetupError} when the file holds something that is not a JSON object: it is a person's to mend
 */
export function mergeRuntimes(
  current: string | undefined,
  entries: Readonly<Record<string, RuntimeEntry>>,
  file = '/etc/docker/daemon.json',
): string | undefined {
  const config = current === undefined || current.trim() === '' ? {} : parseObject(current, file);
  const runtimes = config['runtimes'] ?? {};
  if (!isObject(runtimes))
    throw new SetupError(`«runtimes» in ${file} is not an object: mend it, then run setup again.`);
  const merged = { ...config, runtimes: { ...runtimes, ...entries } };
  const text = `${JSON.stringify(merged, null, 2)}\n`;
  return JSON.stringify(merged) === JSON.stringify(config) ? undefined : text;
}

/** True when the file itself sets this option: the engine refuses an option that is in both the file and a flag. */
export function setsOption(current: string | undefined, option: string): boolean {
  if (current === undefined || current.trim() === '') return false;
  return option in parseObject(current, 'daemon.json');
}

function parseObject(text: string, file: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SetupError(`${file} is not valid JSON (${(error as Error).message}): mend it, then run setup again.`);
  }
  if (!isObject(value)) throw new SetupError(`${file} does not hold a JSON object: mend it, then run setup again.`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
