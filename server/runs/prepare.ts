import { withDeadline } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { RunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';
import { branchOf, bringSource, type SourceReady } from './source.ts';
import { runScript } from './steps.ts';

export async function prepareSource({ deps, plan, control }: RunScope, sandbox: Sandbox): Promise<SourceReady> {
  const order = { branch: branchOf(plan.runId), signal: control.signal };
  if (plan.source.kind !== 'upload') return bringSource(sandbox, plan.source, order);
  const bundle = await deps.uploads.read(plan.organizationId, plan.source.uploadId);
  return bringSource(sandbox, plan.source, { ...order, bundle });
}

/** The environment's own script, which is the only thing that ever gets its secrets. */
export async function setUp({ plan, control, log }: RunScope, sandbox: Sandbox): Promise<void> {
  const { setupScript, variables } = plan.environment;
  if (setupScript.trim() === '') return;
  const exitCode = await runScript(sandbox, log, {
    step: 'setup',
    script: setupScript,
    env: { ...variables, ...plan.secrets },
    redactor: plan.redactor,
    signal: control.signal,
  });
  if (exitCode !== 0) throw RunEnd.failed('setup_failed', `The setup script ended with exit code ${exitCode}.`);
  // A process that the script left behind still holds the secrets in its environment; the agent could read them there.
  const hasSecrets = Object.keys(plan.secrets).length > 0;
  if (hasSecrets) await withDeadline(sandbox.killAll(), 30_000, 'Ending what the setup script left');
}
