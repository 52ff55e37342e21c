import type { ApprovalOption } from '../../shared/protocol/events.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Actor } from '../../shared/protocol/events.ts';
import { newId } from '../base/ids.ts';
import type { RunLog } from './run-log.ts';
import { RunEnd } from './run-end.ts';

export interface ApprovalRequest {
  readonly toolCallId: string;
  readonly title: string;
  readonly kind: string;
  readonly input?: unknown;
  readonly options: readonly ApprovalOption[];
}

type Answer = { readonly option: ApprovalOption; readonly by: Actor };

/**
 * What people can do to a run while it goes on, and what the run waits for. The state is never set directly: it
 * follows from three facts (is it paused, does an approval wait, does it wait for input), and `settle` logs it.
 */
export class RunControl {
  readonly #log: RunLog;
  readonly #abort = new AbortController();
  readonly #approvals = new Map<string, { options: readonly ApprovalOption[]; answer: (answer: Answer) => void }>();
  readonly #inbox: string[] = [];
  #wakeInbox: (() => void) | undefined;
  #finishRequested = false;
  #working = false;
  #paused = false;
  #awaitingInput = false;

  constructor(log: RunLog) {
    this.#log = log;
  }

  /** Aborts with a `RunEnd` when the run has to end for whatever reason. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get ended(): RunEnd | undefined {
    return this.#abort.signal.aborted ? (this.#abort.signal.reason as RunEnd) : undefined;
  }

  /** The first reason wins: a run that was canceled and then dies of it was canceled. */
  end(reason: RunEnd): void {
    this.#abort.abort(reason);
  }

  /** From here on the run is in the hands of the agent, and can be paused. */
  async beginWork(): Promise<void> {
    this.#working = true;
    await this.#settle();
  }

  /** @returns whether the sandbox is frozen, which whoever ends the run has to undo first */
  endWork(): boolean {
    this.#working = false;
    return this.#paused;
  }

  async setPaused(paused: boolean): Promise<void> {
    this.#paused = paused;
    await this.#settle();
  }

  get canPause(): boolean {
    return this.#working && !this.#paused;
  }

  get isPaused(): boolean {
    return this.#working && this.#paused;
  }

  // --- messages ---------------------------------------------------------------------------------------------------

  async send(text: string, by: Actor): Promise<void> {
    this.#requireAlive();
    await this.#log.emit({ type: 'run.message', actor: by, data: { text } });
    this.#inbox.push(text);
    this.#wakeInbox?.();
  }

  /** Lets an interactive run end after its present turn. */
  finish(): void {
    this.#requireAlive();
    this.#finishRequested = true;
    this.#wakeInbox?.();
  }

  takeMessage(): string | undefined {
    return this.#inbox.shift();
  }

  /** Waits for the next message; undefined when the run was told to finish, or nobody wrote for `idleMs`. */
  async waitForMessage(idleMs: number): Promise<string | undefined> {
    if (this.#inbox.length === 0 && !this.#finishRequested) {
      this.#awaitingInput = true;
      await this.#settle();
      await this.#inboxOrIdle(idleMs);
      this.#awaitingInput = false;
      this.signal.throwIfAborted();
      if (this.#inbox.length > 0) await this.#settle();
    }
    return this.#inbox.shift();
  }

  async #inboxOrIdle(idleMs: number): Promise<void> {
    // A message may have come while the waiting state was being written.
    if (this.#inbox.length > 0 || this.#finishRequested || this.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, idleMs);
      const { signal } = this;
      const self = () => (this.#wakeInbox = undefined);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        self();
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
      this.#wakeInbox = done;
    });
  }

  // --- approvals --------------------------------------------------------------------------------------------------

  /**
   * Puts a question of the agent to the people, or answers it by the environment's mode.
   * @returns the chosen option's id, or null when the run ended first
   */
  async requestApproval(request: ApprovalRequest, mode: 'ask' | 'auto'): Promise<string | null> {
    const approvalId = newId('apr');
    await this.#log.emit({
      type: 'approval.requested',
      actor: 'agent',
      data: { approvalId, ...request, options: [...request.options] },
    });
    const allowed =
      request.options.find((option) => option.kind === 'allow_once') ??
      request.options.find((option) => option.kind === 'allow_always');
    if (mode === 'auto' && allowed) {
      await this.#resolved(approvalId, { option: allowed, by: 'server' }, 'auto');
      return allowed.id;
    }
    const answer = await this.#ask(approvalId, request.options);
    if (!answer) {
      await this.#log.emit({
        type: 'approval.resolved',
        actor: 'server',
        data: { approvalId, outcome: 'canceled', optionId: null, by: 'server' },
      });
      return null;
    }
    await this.#resolved(approvalId, answer, answer.by);
    await this.#settle();
    return answer.option.id;
  }

  /** @throws {CaissonError} when there is no such question, or not such an answer to it */
  approve(approvalId: string, choice: { optionId: string } | { decision: 'allow' | 'reject' }, by: Actor): void {
    this.#requireAlive();
    const pending = this.#approvals.get(approvalId);
    if (!pending)
      throw new CaissonError(
        'not_found',
        `No approval ${approvalId} is waiting in this run; it may have been answered already.`,
      );
    const option =
      'optionId' in choice
        ? pending.options.find((candidate) => candidate.id === choice.optionId)
        : pending.options.find((candidate) => candidate.kind.startsWith(choice.decision));
    if (!option) {
      const offered = pending.options.map((candidate) => `${candidate.id} (${candidate.kind})`).join(', ');
      throw new CaissonError('invalid_request', `That is not an answer to this approval. It offers: ${offered}.`);
    }
    this.#approvals.delete(approvalId);
    pending.answer({ option, by });
  }

  async #ask(approvalId: string, options: readonly ApprovalOption[]): Promise<Answer | undefined> {
    if (this.signal.aborted) return undefined;
    const answered = new Promise<Answer | undefined>((resolve) => {
      const onAbort = () => {
        this.#approvals.delete(approvalId);
        resolve(undefined);
      };
      this.signal.addEventListener('abort', onAbort, { once: true });
      this.#approvals.set(approvalId, {
        options,
        answer: (answer) => {
          this.signal.removeEventListener('abort', onAbort);
          resolve(answer);
        },
      });
    });
    await this.#settle();
    return answered;
  }

  async #resolved(approvalId: string, { option, by }: Answer, name: string): Promise<void> {
    const outcome = option.kind.startsWith('allow') ? 'allowed' : 'rejected';
    await this.#log.emit({
      type: 'approval.resolved',
      actor: by,
      data: { approvalId, outcome, optionId: option.id, by: name },
    });
  }

  // --- state ------------------------------------------------------------------------------------------------------

  async #settle(): Promise<void> {
    if (!this.#working || isFinal(this.#log.state)) return;
    const waitingFor = this.#approvals.size > 0 ? 'approval' : this.#awaitingInput ? 'input' : undefined;
    const wanted = this.#paused ? 'paused' : waitingFor ? 'waiting' : 'running';
    if (wanted === this.#log.state) return;
    await this.#log.transition(wanted, wanted === 'waiting' && waitingFor ? { waitingFor } : {});
  }

  #requireAlive(): void {
    if (this.signal.aborted || isFinal(this.#log.state))
      throw new CaissonError('conflict', 'The run is ending or has ended.');
  }
}
