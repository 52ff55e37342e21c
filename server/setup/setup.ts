import { connectEngine } from '../sandbox/gvisor/engine.ts';
import { agentPacksStep } from './agent-packs.ts';
import { engineStep } from './engine.ts';
import { gvisorStep } from './gvisor.ts';
import { imageStep } from './image.ts';
import { packagesStep } from './packages.ts';
import { runSteps, type Console, type Outcome } from './run-steps.ts';
import { runtimeStep } from './runtime-entry.ts';
import type { Step } from './step.ts';

export interface SetupOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
  /** Runtime entries to register with the engine, one per server on this machine. */
  readonly runtimes: readonly string[];
  readonly agents: readonly string[];
}

/**
 * Makes this machine able to run sandboxes: packages, engine, gVisor, runtime entries, image, agents. Idempotent; changes
 * only what is missing or stale.
 * @throws {SetupError} which says what could not be done and what to do about it
 */
export function setUp(options: SetupOptions, console: Console): Promise<Outcome> {
  const engine = connectEngine();
  const steps: Step[] = [
    packagesStep(() => engine.answers()),
    engineStep(engine),
    gvisorStep(),
    runtimeStep(engine, options.runtimes),
    imageStep(engine),
    ...(options.agents.length > 0 ? [agentPacksStep(options.agents)] : []),
  ];
  return runSteps(steps, console, options);
}
