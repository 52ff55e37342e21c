import type { Agent, Environment, RunInput } from '../../shared/protocol/rest.ts';
import type { EgressGateway } from '../egress/gateway.ts';
import type { Cleanup } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Redactor } from '../vault/redactor.ts';
import type { RunControl } from './run-control.ts';
import type { RunDeps } from './run-deps.ts';
import type { RunLog } from './run-log.ts';
import type { SourceReady } from './source.ts';
import type { TimeLimit } from './time-limit.ts';

/** One run as it was ordered: what the driver needs to know, and nothing that it could change. */
export interface RunPlan {
  readonly runId: string;
  readonly organizationId: string;
  readonly prompt: string;
  readonly agent: Agent;
  readonly environment: Environment;
  readonly source: Exclude<RunInput['source'], undefined>;
  readonly interactive: boolean;
  /** The environment's secrets by name: the setup script gets them, the agent does not. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Takes those secrets out of everything that the run says. */
  readonly redactor: Redactor;
}

/** What a run holds while it goes on; each field appears when the thing exists. */
export interface RunResources {
  gateway?: EgressGateway;
  sandbox?: Sandbox;
  source?: SourceReady;
  tokens: { readonly input: number; readonly output: number };
  readonly timeLimit: TimeLimit;
  readonly cleanup: Cleanup;
}

/** Everything that belongs to one run, handed from each part of its life to the next. */
export interface RunScope {
  readonly deps: RunDeps;
  readonly plan: RunPlan;
  readonly control: RunControl;
  readonly log: RunLog;
  readonly resources: RunResources;
}
