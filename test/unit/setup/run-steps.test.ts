import { describe, expect, it } from 'vitest';
import { releaseDate } from '../../../server/setup/gvisor.ts';
import { runSteps, type RunOptions } from '../../../server/setup/run-steps.ts';
import type { Finding, Step } from '../../../server/setup/step.ts';

const DONE: Finding = { done: true, note: 'fine' };
const NEEDED: Finding = { done: false, will: ['change something'] };
const BY_HAND: Finding = { ...NEEDED, byHand: ['sudo change something'] };

function scene(...findings: Finding[]) {
  const applied: number[] = [];
  const steps = findings.map((finding, index): Step => ({
    name: `step ${index}`,
    check: () => Promise.resolve(finding),
    apply: () => {
      applied.push(index);
      return Promise.resolve();
    },
  }));
  let text = '';
  const run = (options: Partial<RunOptions>, answer?: boolean) =>
    runSteps(
      steps,
      {
        write: (more) => void (text += more),
        interactive: false,
        ...(answer === undefined ? {} : { confirm: () => Promise.resolve(answer) }),
      },
      { yes: false, dryRun: false, ...options },
    );
  return { applied, run, text: () => text };
}

describe('setup', () => {
  it('says so when there is nothing to do', async () => {
    const { run, applied, text } = scene(DONE, DONE);
    expect(await run({})).toBe('nothing to do');
    expect(applied).toEqual([]);
    expect(text()).toContain('Nothing to do');
  });

  it('applies what is needed, in order, and tells what it did', async () => {
    const { run, applied, text } = scene(NEEDED, DONE, NEEDED);
    expect(await run({ yes: true })).toBe('done');
    expect(applied).toEqual([0, 2]);
    expect(text()).toMatch(/will change something[\s\S]*Done in[\s\S]*- change something/);
  });

  it.each([
    ['a dry run', { dryRun: true, yes: true }, undefined, 'planned'],
    ['a no', {}, false, 'declined'],
    ['nobody who could answer', {}, undefined, 'declined'],
  ] as const)('changes nothing after %s, and has said what it would', async (_, options, answer, outcome) => {
    const { run, applied, text } = scene(NEEDED);
    expect(await run(options, answer)).toBe(outcome);
    expect(applied).toEqual([]);
    expect(text()).toContain('will change something');
  });

  it('applies after a yes', async () => {
    const { run, applied } = scene(NEEDED);
    expect(await run({}, true)).toBe('done');
    expect(applied).toEqual([0]);
  });

  it('changes nothing at all where one thing is a person’s to do, and names the command', async () => {
    const { run, applied, text } = scene(NEEDED, BY_HAND);
    expect(await run({ yes: true })).toBe('by hand');
    expect(applied).toEqual([]);
    expect(text()).toContain('  sudo change something\n');
  });
});

describe('a gVisor version', () => {
  it.each([
    ['release-20240729.0', 20240729],
    ['0.0~20240729.0', 20240729],
    ['0.0~20221219.0-2+b3', 20221219],
    ['VERSION_MISSING', undefined],
    ['go1.22', undefined],
  ])('%s is of %s', (version, date) => {
    expect(releaseDate(version)).toBe(date);
  });
});
