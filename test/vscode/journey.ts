import { test } from 'vitest';
import { shootFailure } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

/**
 * The steps of one way through the workbench: each goes on from where the one before it left the window, as a person
 * would, so the first one that fails ends the way. What the window looked like then is a picture.
 */
export function journey(window: () => Workbench): (name: string, work: () => Promise<void>) => void {
  let failed = false;
  return (name, work) => {
    test(name, async ({ skip }) => {
      if (failed) skip('an earlier step failed');
      failed = true;
      try {
        await work();
        failed = false;
      } finally {
        if (failed) await shootFailure(window(), name);
      }
    });
  };
}
