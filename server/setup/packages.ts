import { installPackages, refreshPackageLists } from './apt.ts';
import { findProgram } from '../base/command.ts';
import { canInstallPackages } from './host.ts';
import { SetupError, type Step } from './step.ts';

/** Programs that Caisson calls, and the Debian package that brings each. */
const PROGRAMS: Readonly<Record<string, string>> = {
  mmdebstrap: 'mmdebstrap',
  'mkfs.ext4': 'e2fsprogs',
  losetup: 'mount',
  git: 'git',
};

/** The Debian packages that are missing. The engine's is asked for only where no engine answers. */
export function packagesStep(engineAnswers: () => Promise<boolean>): Step {
  const missing = async (): Promise<string[]> => {
    const packages = Object.entries(PROGRAMS)
      .filter(([program]) => findProgram(program) === undefined)
      .map(([, name]) => name);
    if (findProgram('dockerd') === undefined && !(await engineAnswers())) packages.unshift('docker.io');
    return packages;
  };
  return {
    name: 'packages',
    async check() {
      const packages = await missing();
      if (packages.length === 0) return { done: true, note: `${Object.keys(PROGRAMS).join(', ')} are installed` };
      const will = [`install the Debian packages ${packages.join(', ')}`];
      if (canInstallPackages()) return { done: false, will };
      return {
        done: false,
        will,
        byHand: [`sudo apt-get install ${packages.join(' ')}   # or your system's equivalents`],
      };
    },
    async apply(progress) {
      await refreshPackageLists(progress);
      await installPackages(await missing(), progress);
      const rest = await missing();
      if (rest.length > 0) throw new SetupError(`apt-get succeeded, but these are still missing: ${rest.join(', ')}.`);
    },
  };
}
