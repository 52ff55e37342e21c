import { setUp } from '../../server/setup/setup.ts';
import { messageOf } from '../../server/base/lifecycle.ts';
import { SKIP_GVISOR, TEST_RUNTIME } from './sandboxed.ts';

/** Runs once before the flow tests: they need the engine, gVisor, the image and the real agent. */
export async function setup(): Promise<void> {
  if (SKIP_GVISOR) return;
  const lines: string[] = [];
  const console = { write: (text: string) => void lines.push(text), interactive: false };
  let outcome: string;
  try {
    outcome = await setUp({ yes: true, dryRun: false, runtimes: [TEST_RUNTIME], agents: ['claude'] }, console);
  } catch (error) {
    throw new Error(cannotRun(messageOf(error)), { cause: error });
  }
  if (outcome === 'by hand' || outcome === 'declined') throw new Error(cannotRun(lines.join('')));
}

function cannotRun(reason: string): string {
  return `This machine cannot run the sandbox tests; set CAISSON_TEST_SKIP=gvisor to leave them out. ${reason}`;
}
