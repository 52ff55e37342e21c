import type { Command } from 'commander';
import { messageOf } from '../../base/lifecycle.ts';
import { buildConfig } from '../../config/config.ts';
import { readEnv, SETTINGS } from '../../config/env.ts';
import { loadSecrets } from '../../config/secrets.ts';
import { startServer, type RunningServer } from '../../main.ts';
import { credentialsPath, saveCredential } from '../credentials.ts';
import { DEFAULT_URL } from '../settings.ts';

interface Flags {
  readonly host?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly allowUnsandboxed?: boolean;
  readonly behindProxy?: boolean;
}

export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('Run the server: API, event stream, sandboxes')
    .option('--host <address>', 'address to listen on (CAISSON_HOST)')
    .option('--port <number>', 'TCP port (CAISSON_PORT)')
    .option('--data-dir <folder>', 'data directory (CAISSON_DATA_DIR)')
    .option('--behind-proxy', 'a proxy in front terminates TLS (CAISSON_BEHIND_PROXY)')
    .option('--allow-unsandboxed', 'DANGEROUS: accept a runtime that is not gVisor (CAISSON_ALLOW_UNSANDBOXED)')
    .addHelpText('after', `\nSettings, from the environment:\n${settingsHelp()}`)
    .action(serve);
}

async function serve(flags: Flags): Promise<void> {
  const env = readEnv({ ...process.env, ...fromFlags(flags) });
  const config = buildConfig(env);
  if (config.sandbox.allowUnsandboxed) {
    process.stderr.write(
      'WARNING: --allow-unsandboxed is set. Runs are NOT isolated where the runtime is not gVisor: an agent can take over this machine.\n',
    );
  }
  const server = await startServer(config, await loadSecrets(env, config));
  await announce(server);
  await untilStopped(server);
}

/** Said in one piece when everything is in place, so that whoever waits for the first line finds the key saved. */
async function announce(server: RunningServer): Promise<void> {
  const listening = `Caisson listens on ${server.url}\n`;
  process.stdout.write(server.firstKey ? `${listening}${await introduce(server.url, server.firstKey)}` : listening);
}

async function introduce(url: string, { apiKey, keyId }: { apiKey: string; keyId: string }): Promise<string> {
  const shown = `\nThis is the first start. Your API key, shown this once:\n\n  ${apiKey}\n\n`;
  try {
    await saveCredential(url, { apiKey, keyId, createdAt: new Date().toISOString() });
  } catch (error) {
    // The key exists now, and nobody could ask for it again: it is shown whatever happens to the file.
    return `${shown}It could not be saved for the command line (${messageOf(error)}). Set it as CAISSON_API_KEY.\n\n`;
  }
  const setUrl = url === DEFAULT_URL ? '' : `  export CAISSON_URL=${url}\n`;
  const saved = `It was also written to ${credentialsPath()}, where the command line finds it. Try:\n\n`;
  return `${shown}${saved}${setUrl}  caisson run 'echo hello from the sandbox'\n\n`;
}

/** The first signal ends runs and lets go of everything; a second one ends the process at once. */
async function untilStopped(server: RunningServer): Promise<void> {
  await new Promise<void>((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals) => {
      if (stopping) process.exit(130);
      stopping = true;
      process.stderr.write(`${signal}: ending the active runs and stopping. Once more to stop at once.\n`);
      server.close().then(resolve, (error: unknown) => {
        process.stderr.write(`The server did not stop cleanly: ${messageOf(error)}\n`);
        process.exitCode = 1;
        resolve();
      });
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  });
}

function fromFlags(flags: Flags): NodeJS.ProcessEnv {
  return {
    ...(flags.host === undefined ? {} : { CAISSON_HOST: flags.host }),
    ...(flags.port === undefined ? {} : { CAISSON_PORT: flags.port }),
    ...(flags.dataDir === undefined ? {} : { CAISSON_DATA_DIR: flags.dataDir }),
    ...(flags.allowUnsandboxed ? { CAISSON_ALLOW_UNSANDBOXED: '1' } : {}),
    ...(flags.behindProxy ? { CAISSON_BEHIND_PROXY: '1' } : {}),
  };
}

function settingsHelp(): string {
  const rows = Object.entries(SETTINGS).map(([name, setting]: [string, { default?: string; help: string }]) => {
    const shown = setting.default === undefined ? '' : ` [${setting.default === '' ? 'empty' : setting.default}]`;
    return `  ${name}${shown}\n      ${setting.help}`;
  });
  return rows.join('\n');
}
