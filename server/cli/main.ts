import { CommanderError, type Command } from 'commander';
import { packageVersion } from '../base/package-root.ts';
import { binder } from './command.ts';
import { buildProgram } from './program.ts';
import { EXIT, describeError, exitCodeFor } from './exit.ts';
import { processTerminal, type Terminal } from './terminal.ts';

interface ServerCommand {
  readonly description: string;
  readonly load: () => Promise<(program: Command) => void>;
}

/**
 * The commands that run a server, set one up, or measure one. They bring the whole server with them, so each is loaded
 * only when it is meant; for the list of commands its line here is enough.
 */
const SERVER_COMMANDS: Readonly<Record<string, ServerCommand>> = {
  serve: {
    description: 'Run the server: API, event stream, sandboxes',
    load: async () => (await import('./commands/serve.ts')).registerServe,
  },
  setup: {
    description: 'Prepare this machine: Docker engine, gVisor, runtime entry, sandbox image, agents',
    load: async () => (await import('./commands/setup.ts')).registerSetup,
  },
  doctor: {
    description: 'Check what a server on this machine needs, and say how to mend what is missing',
    load: async () => (await import('./commands/doctor.ts')).registerDoctor,
  },
  demo: {
    description: 'Set this machine up and show one run',
    load: async () => (await import('./demo/index.ts')).registerDemo,
  },
  bench: {
    description: 'Measure speed and memory, as ratios against the bare parts in the same run',
    load: async () => (await import('./bench/index.ts')).registerBench,
  },
};

async function registerServerCommands(program: Command, argv: readonly string[]): Promise<void> {
  // `caisson serve …` and `caisson help serve`.
  const [first, second] = argv.filter((argument) => !argument.startsWith('-'));
  const wanted = first === 'help' ? second : first;
  for (const [name, { description, load }] of Object.entries(SERVER_COMMANDS)) {
    if (name === wanted) (await load())(program);
    else program.command(name).description(description);
  }
}

/**
 * Runs one command line, without the program's name.
 * @returns the exit code; 0 only for success
 */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode: number = EXIT.succeeded;
  const version = packageVersion();
  const bind = binder(terminal, (code) => (exitCode = code), `caisson-cli/${version}`);
  try {
    const program = buildProgram(version, bind);
    await registerServerCommands(program, argv);
    if (argv.length === 0) program.help({ error: true });
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has already said what is wrong; asking for help is no error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.succeeded : EXIT.usage;
    // The reader of our output has gone (`caisson logs | head`): there is nobody left to tell.
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return EXIT.succeeded;
    const text = describeError(error, terminal.notePaint, terminal.env);
    if (text !== '') terminal.note(text.trimEnd());
    return exitCodeFor(error);
  }
}

/** The whole program: what bootstrap.mjs starts. */
export async function main(): Promise<void> {
  // Each write reports its own failure; without a listener a closed pipe would end the process with a stack trace.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const exitCode = await runCli(process.argv.slice(2), processTerminal());
  // Server commands set the exit code themselves.
  if (exitCode !== EXIT.succeeded) process.exitCode = exitCode;
}
