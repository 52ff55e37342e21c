import type { Finding, Progress, Step } from './step.ts';

/** Where setup speaks: a terminal, or the log of a test run. */
export interface Console {
  write(text: string): void;
  /** True where lines can be rewritten in place. */
  readonly interactive: boolean;
  /** Asks a yes-or-no question; undefined where nobody can answer. */
  confirm?(question: string): Promise<boolean>;
}

export interface RunOptions {
  readonly yes: boolean;
  readonly dryRun: boolean;
}

export type Outcome = 'nothing to do' | 'done' | 'planned' | 'declined' | 'by hand';

/**
 * Looks at every step, says what would change, asks, then makes the changes in order.
 * @throws {SetupError} from the step that could not be done
 */
export async function runSteps(steps: readonly Step[], console: Console, options: RunOptions): Promise<Outcome> {
  const findings = await Promise.all(steps.map(async (step) => ({ step, finding: await step.check() })));
  const needed = findings.filter(({ finding }) => !finding.done);
  for (const { step, finding } of findings) console.write(planLine(step, finding));
  if (needed.length === 0) {
    console.write('Nothing to do: this machine is set up.\n');
    return 'nothing to do';
  }

  const byHand = needed.flatMap(({ finding }) => (finding.done ? [] : (finding.byHand ?? [])));
  if (byHand.length > 0) {
    console.write(`\nSetup cannot do all of this itself (it needs root on a Debian system). Run:\n`);
    for (const command of new Set(byHand)) console.write(`  ${command}\n`);
    return 'by hand';
  }
  if (options.dryRun) {
    console.write('Dry run: nothing was changed.\n');
    return 'planned';
  }
  if (!options.yes && !(await console.confirm?.('Make these changes?'))) {
    console.write('Nothing was changed. Run with --yes to agree without being asked.\n');
    return 'declined';
  }

  const started = Date.now();
  const did: string[] = [];
  for (const { step, finding } of needed) {
    const stepStarted = Date.now();
    const ticker = startTicker(step.name, console);
    try {
      await step.apply(ticker.progress);
    } finally {
      ticker.stop();
    }
    console.write(`✓ ${step.name} (${seconds(stepStarted)})\n`);
    if (!finding.done) did.push(...finding.will);
  }
  console.write(`\nDone in ${seconds(started)}:\n${did.map((line) => `  - ${line}\n`).join('')}`);
  return 'done';
}

function planLine(step: Step, finding: Finding): string {
  if (finding.done) return `✓ ${step.name}: ${finding.note}\n`;
  return finding.will.map((line) => `• ${step.name}: will ${line}\n`).join('');
}

/** Shows that something still happens: in place on a terminal, else a line when the subject changes or 15 s have passed. */
function startTicker(name: string, console: Console): { progress: Progress; stop: () => void } {
  const started = Date.now();
  let latest = '';
  let written = 0;
  const show = (): void => {
    const line = `… ${name} (${seconds(started)}) ${latest}`.slice(0, 110);
    console.write(console.interactive ? `\r\u001b[2K${line}` : `${line}\n`);
    written = Date.now();
  };
  const timer = setInterval(() => {
    if (console.interactive || Date.now() - written >= 15_000) show();
  }, 1_000);
  show();
  return {
    progress: (line) => {
      latest = line.trim();
    },
    stop: () => {
      clearInterval(timer);
      if (console.interactive) console.write('\r\u001b[2K');
    },
  };
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
