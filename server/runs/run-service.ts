import type { z } from 'zod';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Actor } from '../../shared/protocol/events.ts';
import type { Agent, ApprovalInput, Run, runInput, SourceInput } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Agents } from '../agents/agents.ts';
import type { Identity } from '../auth/identity.ts';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Environments } from '../environments/environments.ts';
import type { RunDeps } from './run-deps.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { driveRun, type RunHandle } from './run-driver.ts';
import type { RunPlan } from './run-scope.ts';
import { RunControl } from './run-control.ts';
import { RunEnd } from './run-end.ts';
import type { ParsedRunListQuery, RunIndex } from './run-index.ts';
import { RunLog } from './run-log.ts';
import { checkGitUrl } from './source.ts';
import type { TerminalOrder } from './terminal.ts';

interface ActiveRun {
  readonly control: RunControl;
  readonly done: Promise<void>;
  readonly handle: RunHandle;
}

export interface RunServiceOptions {
  readonly deps: RunDeps;
  readonly index: RunIndex;
  readonly environments: Environments;
  readonly agents: Agents;
  readonly operatorExceptions: readonly string[];
  readonly sandboxed: boolean;
  readonly destroyData: (runId: string) => Promise<void>;
  readonly clock: Clock;
}

/** The commands on runs. Every command is checked against the caller's organization; someone else's run is not found. */
export class RunService {
  readonly #options: RunServiceOptions;
  readonly #active = new Map<string, ActiveRun>();
  #stopping = false;

  constructor(options: RunServiceOptions) {
    this.#options = options;
  }

  /** The run exists, and its first event is durable, when this resolves; everything else happens afterwards. */
  async create(identity: Identity, input: z.output<typeof runInput>): Promise<Run> {
    if (this.#stopping) throw new CaissonError('unavailable', 'The server is stopping; try again in a moment.');
    const { deps, index, environments, agents, clock } = this.#options;
    deps.admission.check();
    const organizationId = identity.organizationId;
    const environment = await environments.get(organizationId, input.environment);
    const agent = await agents.get(organizationId, input.agent);
    requireAvailable(agent);
    const source = await this.#checkSource(organizationId, input.source);
    const secrets = await environments.secrets(organizationId, environment.id);

    const now = clock.now();
    const runId = newId('run', now.getTime());
    const redactor = deps.createRedactor(secrets);
    const plan: RunPlan = {
      runId,
      organizationId,
      prompt: input.prompt,
      agent,
      environment,
      source,
      interactive: input.interactive,
      secrets,
      redactor,
    };
    const cell: { control?: RunControl } = {};
    const log = new RunLog({
      runId,
      log: deps.log,
      redactor,
      onFailClosed: (error) => cell.control?.end(RunEnd.failed(error.code, error.message, error)),
    });
    const control = new RunControl(log);
    cell.control = control;
    await index.add(
      runId,
      { organizationId, memberId: identity.memberId, keyId: identity.keyId },
      now.toISOString(),
      environment,
    );
    const unfollow = index.follow(runId);
    try {
      await log.emit({ type: 'run.created', actor: actorOf(identity), data: this.#created(plan, input.title) });
    } catch (error) {
      await unfollow();
      await index.delete(organizationId, runId);
      throw new CaissonError(
        'unavailable',
        'The event log cannot be written, so no run can start. The operator has to look at the server’s disk.',
        { cause: error },
      );
    }
    this.#start(plan, control, log, unfollow);
    return index.get(organizationId, runId);
  }

  async get(identity: Identity, runId: string): Promise<Run> {
    const run = await this.#options.index.get(identity.organizationId, runId);
    if (!canRead(identity, run.createdBy.memberId)) throw new CaissonError('not_found', `There is no run ${runId}.`);
    return run;
  }

  async list(identity: Identity, query: ParsedRunListQuery): Promise<{ items: Run[]; nextCursor?: string }> {
    const member = identity.role === 'member' ? identity.memberId : query.member;
    return this.#options.index.list(identity.organizationId, { ...query, member });
  }

  /** Ends a run at any moment; resolves when it is on its way, not when it has ended. Ending it twice is fine. */
  async cancel(identity: Identity, runId: string): Promise<void> {
    await this.get(identity, runId);
    this.#active.get(runId)?.control.end(new RunEnd('canceled', 'canceled', `Canceled by ${actorOf(identity)}.`));
  }

  async pause(identity: Identity, runId: string): Promise<void> {
    await (await this.#live(identity, runId)).handle.pause(true);
  }

  async resume(identity: Identity, runId: string): Promise<void> {
    await (await this.#live(identity, runId)).handle.pause(false);
  }

  async finish(identity: Identity, runId: string): Promise<void> {
    (await this.#live(identity, runId)).control.finish();
  }

  async sendMessage(identity: Identity, runId: string, text: string): Promise<void> {
    await (await this.#live(identity, runId)).control.send(text, actorOf(identity));
  }

  /** A shell for a person, in the run's own sandbox. The log says that it was opened, and the kernel what is done in it. */
  async openTerminal(identity: Identity, runId: string, order: Omit<TerminalOrder, 'by'>): Promise<SandboxProcess> {
    return (await this.#live(identity, runId)).handle.openTerminal({ ...order, by: actorOf(identity) });
  }

  async approve(identity: Identity, runId: string, approvalId: string, choice: ApprovalInput): Promise<void> {
    (await this.#live(identity, runId)).control.approve(approvalId, choice, actorOf(identity));
  }

  /** Destroys a finished run's data and its keys. Its place in the chain stays, as commitments without content. */
  async delete(identity: Identity, runId: string): Promise<void> {
    const run = await this.get(identity, runId);
    if (!isFinal(run.state) || this.#active.has(runId)) {
      throw new CaissonError('conflict', `The run is ${run.state}. Cancel it first, and delete it when it has ended.`);
    }
    await this.#options.destroyData(runId);
    await this.#options.deps.blobs.delete(runId);
    await this.#options.index.delete(identity.organizationId, runId);
  }

  get activeRunIds(): ReadonlySet<string> {
    return new Set(this.#active.keys());
  }

  /** Ends every run and waits until nothing of them is left, at most `deadlineMs` milliseconds. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    const active = [...this.#active.values()];
    for (const { control } of active)
      control.end(RunEnd.failed('server_restarted', 'The server was stopped while the run was going on.'));
    await withDeadline(Promise.all(active.map((run) => run.done)), deadlineMs, 'Ending the active runs');
  }

  #start(plan: RunPlan, control: RunControl, log: RunLog, unfollow: () => Promise<void>): void {
    const { deps } = this.#options;
    const handle = notYet(control);
    const done = driveRun({ deps, plan, control, log }, handle)
      .catch((error: unknown) =>
        deps.logger.error({ runId: plan.runId, error: messageOf(error) }, 'the run’s driver failed'),
      )
      .then(unfollow)
      .finally(() => this.#active.delete(plan.runId));
    this.#active.set(plan.runId, { control, done, handle });
  }

  async #live(identity: Identity, runId: string): Promise<ActiveRun> {
    const run = await this.get(identity, runId);
    const active = this.#active.get(runId);
    if (!active || isFinal(run.state)) throw new CaissonError('conflict', `The run has ended (${run.state}).`);
    return active;
  }

  async #checkSource(organizationId: string, source: SourceInput): Promise<SourceInput> {
    if (source.kind === 'git') return { ...source, url: checkGitUrl(source.url) };
    if (source.kind === 'upload') await this.#options.deps.uploads.describe(organizationId, source.uploadId);
    return source;
  }

  #created(plan: RunPlan, title: string | undefined) {
    const { environment, agent, source } = plan;
    return {
      prompt: plan.prompt,
      title: title ?? titleOf(plan.prompt),
      agent: { id: agent.id, name: agent.name },
      environment: { id: environment.id, name: environment.name },
      source,
      network: {
        mode: environment.network.mode,
        groups: [...environment.network.groups],
        patterns: [...environment.network.patterns],
      },
      operatorExceptions: [...this.#options.operatorExceptions],
      approval: environment.approval,
      interactive: plan.interactive,
      timeLimitSeconds: environment.timeLimitSeconds,
      sandboxed: this.#options.sandboxed,
    };
  }
}

/** What can be done to a run before its agent works: nothing. The driver puts the real things in place. */
function notYet(control: RunControl): RunHandle {
  const refuse = async (): Promise<never> => {
    const message = control.ended
      ? 'The run is ending.'
      : 'The run is still being prepared; try again once its agent works.';
    throw new CaissonError('conflict', message);
  };
  return { pause: refuse, openTerminal: refuse };
}

function actorOf(identity: Identity): Actor {
  return `key:${identity.keyId}`;
}

/** Members see their own runs; leads and above see those of the whole organization. */
export function canRead(identity: Identity, memberId: string): boolean {
  return identity.role !== 'member' || identity.memberId === memberId;
}

function requireAvailable(agent: Agent): void {
  if (agent.available) return;
  throw new CaissonError(
    'unavailable',
    `The agent ${agent.name} is not installed on this server. Its operator installs it with \`caisson setup --agent ${agent.name}\`.`,
  );
}

function titleOf(prompt: string): string {
  const line = prompt.trim().split('\n')[0] ?? '';
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
