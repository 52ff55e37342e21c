import { readFile } from 'node:fs/promises';

/** gVisor writes its own boot messages into every sandbox's kernel log; no other kernel has this line. */
const BOOT_MESSAGE = 'Starting gVisor...';

export const saysGvisor = (kernelLog: string): boolean => kernelLog.includes(BOOT_MESSAGE);

/** Asks for the kernel log of a sandbox: a command that runs inside it. */
export type ReadKernelLog = () => Promise<string>;

/**
 * Decides whether a sandbox runs on gVisor, from what the sandbox itself says. A kernel whose log has been read once is
 * known by its version line (the sandbox's PID 1 prints it), which saves the later sandboxes a process; a line that
 * equals the host's own is never trusted that way.
 */
export function createKernelCheck(
  hostVersionFile = '/proc/version',
): (version: string, log: ReadKernelLog) => Promise<boolean> {
  const known = new Set<string>();
  return async (version, readLog) => {
    if (known.has(version)) return true;
    const host = await readFile(hostVersionFile, 'utf8').catch(() => '');
    if (version.trim() === host.trim() || !saysGvisor(await readLog())) return false;
    known.add(version);
    return true;
  };
}
