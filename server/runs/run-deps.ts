import type { Agent, NetworkPolicy } from '../../shared/protocol/rest.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import type { AgentSession } from '../acp/session.ts';
import type { AgentLaunch } from '../agents/catalog.ts';
import type { Logger } from '../base/logger.ts';
import type { EgressGateway } from '../egress/gateway.ts';
import type { EventLog, LogUnavailable } from '../events/ports.ts';
import type { Sandbox, SandboxRuntime } from '../sandbox/sandbox.ts';
import type { Uploads } from '../uploads/uploads.ts';
import type { Witness } from '../witness/trace-sink.ts';
import type { Admission } from './admission.ts';
import type { RunControl } from './run-control.ts';
import type { RunPlan } from './run-scope.ts';
import type { RunLog } from './run-log.ts';
import type { Redactor } from '../vault/redactor.ts';
import type { RunBlobs } from './run-blobs.ts';

/** Everything outside this folder that a run needs, as the composition root hands it in. */
export interface RunDeps {
  readonly dataDir: string;
  readonly log: EventLog;
  readonly sandboxes: SandboxRuntime;
  readonly witness: Witness;
  readonly uploads: Uploads;
  readonly blobs: RunBlobs;
  readonly admission: Admission;
  readonly logger: Logger;
  readonly createEgressGateway: (options: EgressOptions) => Promise<EgressGateway>;
  readonly createRedactor: (secrets: Readonly<Record<string, string>>) => Redactor;
  readonly openAgentSession: (options: SessionOptions) => Promise<AgentSession>;
  readonly agentLaunch: (agent: Agent) => AgentLaunch;
  /** Signs the last event of a finished run, so that its history cannot be rewritten afterwards. */
  readonly signHead: (runId: string) => Promise<unknown>;
}

export interface SessionOptions {
  readonly plan: RunPlan;
  readonly sandbox: Sandbox;
  readonly control: RunControl;
  readonly log: RunLog;
}

export interface EgressOptions {
  readonly socketPath: string;
  readonly network: NetworkPolicy;
  readonly record: (event: NewEvent) => Promise<void>;
  readonly onFailClosed: (error: LogUnavailable | Error) => void;
}
