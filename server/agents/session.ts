import type { Agent, Environment } from '../../shared/protocol/rest.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { createAcpSession } from '../acp/acp-session.ts';
import type { AgentSession, PermissionRequest, StreamRedactor } from '../acp/session.ts';
import { createShellSession } from '../acp/shell-session.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { agentLaunch, sessionSettings } from './catalog.ts';

/** What a session needs of its run; the run driver's own types have all of it. */
export interface AgentSessionOptions {
  readonly plan: {
    readonly agent: Agent;
    readonly environment: Environment;
    readonly redactor: { stream(): StreamRedactor };
  };
  readonly sandbox: Sandbox;
  readonly control: {
    readonly signal: AbortSignal;
    requestApproval(request: PermissionRequest, mode: Environment['approval']): Promise<string | null>;
  };
  readonly log: { emit(event: NewEvent): Promise<void> };
}

/** Starts a run's agent in its sandbox, by whichever way that agent is spoken to. */
export function createAgentSession({
  packs,
  version,
}: {
  readonly packs: string;
  readonly version: string;
}): (options: AgentSessionOptions) => Promise<AgentSession> {
  return async ({ plan, sandbox, control, log }) => {
    const { agent, environment } = plan;
    const { signal } = control;
    const launch = agentLaunch(agent, { packs });
    const env = { ...environment.variables, ...launch.env };
    const context = { emit: (event: NewEvent) => log.emit(event), streamRedactor: () => plan.redactor.stream() };
    if (agent.kind === 'shell') {
      return createShellSession({ ...context, start: (argv) => sandbox.exec(argv, { env, signal }) });
    }
    return createAcpSession({
      ...context,
      ...sessionSettings(agent, environment.approval),
      process: await sandbox.exec(launch.argv, { env, signal }),
      name: agent.name,
      instructions: agent.instructions,
      clientInfo: { name: 'caisson', version },
      requestPermission: (request) => control.requestApproval(request, environment.approval),
      signal,
    });
  };
}
