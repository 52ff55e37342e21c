import axe from 'axe-core';
import type { Frame } from 'playwright-core';
import { expect } from 'vitest';

/** What is left of a finding: which rule, how bad, and where. */
interface Finding {
  readonly rule: string;
  readonly impact: string;
  readonly nodes: readonly string[];
}

/**
 * Lets axe look at the page of a webview as it is shown now, by all rules that are on by default: WCAG 2 A and AA, and
 * its best practices.
 * @see https://github.com/dequelabs/axe-core/blob/develop/doc/rule-descriptions.md
 */
export async function expectAccessible(frame: Frame, what: string): Promise<void> {
  // As a DevTools expression, which the page's own policy has no say in.
  await frame.evaluate(`window.axe ?? void (() => { ${axe.source} })()`);
  const findings = await frame.evaluate<Finding[]>(`window.axe.run(document, { resultTypes: ['violations'] }).then(
    ({ violations }) => violations.map(({ id, impact, nodes }) => ({
      rule: id, impact, nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => html.slice(0, 200) + ' ' + failureSummary),
    })),
  )`);
  expect.soft(findings, what).toEqual([]);
}
