import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../sandbox/gvisor/engine.ts';
import { findProgram, runCommand } from '../base/command.ts';
import { setsOption } from './daemon-json.ts';
import { isRoot, systemdRuns } from './host.ts';
import { SetupError, type Progress, type Step } from './step.ts';

export const DAEMON_JSON = '/etc/docker/daemon.json';
const LOG_FILE = '/var/log/caisson-dockerd.log';
const PID_FILE = '/var/run/docker.pid';
const START_DEADLINE_MS = 60_000;

/** The container engine runs and answers. */
export function engineStep(engine: Engine): Step {
  return {
    name: 'engine',
    async check() {
      if (await engine.answers()) return { done: true, note: `Docker ${(await engine.info()).version} answers` };
      const remote = process.env['DOCKER_HOST'];
      if (remote !== undefined && remote !== '') {
        const will = [`reach the engine at DOCKER_HOST=${remote}`];
        return { done: false, will, byHand: ['start that engine, or unset DOCKER_HOST to use a local one'] };
      }
      const how = systemdRuns() ? 'systemctl enable --now docker' : `dockerd, detached, log in ${LOG_FILE}`;
      const will = [`start the Docker engine (${how})`];
      return isRoot() ? { done: false, will } : { done: false, will, byHand: ['sudo systemctl enable --now docker'] };
    },
    async apply(progress) {
      // Debian's package may have started it on installation.
      if (await engine.answers()) return;
      if (systemdRuns()) await runCommand(['systemctl', 'enable', '--now', 'docker'], { timeoutMs: START_DEADLINE_MS });
      else await startDetached(progress);
      await waitForEngine(engine, progress);
    },
  };
}

/** Tells the engine to read its configuration again; it reloads runtimes without stopping containers. */
export async function reloadEngine(): Promise<void> {
  if (systemdRuns()) {
    await runCommand(['systemctl', 'reload', 'docker'], { timeoutMs: 30_000 });
    return;
  }
  const pid = Number((await readFile(PID_FILE, 'utf8').catch(() => '')).trim());
  if (!Number.isInteger(pid) || pid <= 1) {
    throw new SetupError(
      `${PID_FILE} does not name the engine's process: reload the engine by hand (SIGHUP), then run setup again.`,
    );
  }
  process.kill(pid, 'SIGHUP');
}

/**
 * Without an init system the engine is a session of its own that outlives setup. No sandbox has a network, so it gets no
 * bridge and touches no firewall rule.
 */
async function startDetached(progress: Progress): Promise<void> {
  const program = findProgram('dockerd');
  if (program === undefined)
    throw new SetupError('dockerd is not installed, and no engine answers on the Docker socket.');
  const config = await readFile(DAEMON_JSON, 'utf8').catch(() => undefined);
  const flags = [
    ...(setsOption(config, 'bridge') ? [] : ['--bridge=none']),
    ...(setsOption(config, 'iptables') ? [] : ['--iptables=false']),
  ];
  progress(`${program} ${flags.join(' ')}`);
  const log = await open(LOG_FILE, 'a', 0o640);
  try {
    const child = spawn(program, flags, { detached: true, stdio: ['ignore', log.fd, log.fd], cwd: '/' });
    await once(child, 'spawn');
    child.unref();
  } finally {
    await log.close();
  }
}

async function waitForEngine(engine: Engine, progress: Progress): Promise<void> {
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; await sleep(200)) {
    if (await engine.answers()) return;
    progress('waiting for the engine to answer');
  }
  const log = await readFile(LOG_FILE, 'utf8').catch(() => '');
  const lines = log.trimEnd().split('\n').slice(-8).join('\n');
  throw new SetupError(
    `The Docker engine did not answer within ${START_DEADLINE_MS / 1000} s. Its log (${LOG_FILE}) ends with:\n${lines}`,
  );
}
