import { createInterface, type Interface } from 'node:readline';
import type { Client } from '../../shared/client/client.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { PendingApproval, RunView } from '../../shared/run/reduce.ts';
import { safeLine } from './output/safe-text.ts';
import { ask, type Terminal } from './terminal.ts';

/**
 * The person's part of a run: follow-up messages when it waits for input, and answers to approvals. On a terminal they
 * are asked for; from a pipe each line is one message, and the end of the pipe finishes the run.
 */
export class Conversation {
  readonly #client: Client;
  readonly #terminal: Terminal;
  readonly #messages: boolean;
  #asking: { readonly about: string; readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #lines: { readonly source: Interface; readonly iterator: AsyncIterator<string> } | undefined;

  /** @param messages whether stdin holds messages: the run is interactive, and the prompt did not use stdin up */
  constructor(client: Client, terminal: Terminal, messages: boolean) {
    this.#client = client;
    this.#terminal = terminal;
    this.#messages = messages;
  }

  /** To be called with each new view; asks what is to be asked, and stops asking what no longer matters. */
  follow(view: RunView): void {
    const [approval] = this.#terminal.interactive ? view.pendingApprovals : [];
    const wantsMessage = this.#messages && view.state === 'waiting' && view.waitingFor === 'input';
    const about = approval ? approval.approvalId : wantsMessage ? `input ${view.turns}/${view.messages}` : undefined;
    if (about === this.#asking?.about) return;
    this.#asking?.stop.abort();
    this.#asking = undefined;
    if (about === undefined) return;
    const stop = new AbortController();
    const answer = approval
      ? this.#answerApproval(view.runId, approval, stop.signal)
      : this.#answerInput(view.runId, stop.signal);
    this.#asking = { about, stop, done: answer.catch((error: unknown) => this.#complain(error)) };
  }

  async end(): Promise<void> {
    this.#asking?.stop.abort();
    this.#lines?.source.close();
    await this.#asking?.done;
  }

  /** The answer may have come too late, or from somebody else; the run itself goes on. */
  #complain(error: unknown): void {
    if (!(error instanceof CaissonError)) throw error;
    this.#terminal.note(this.#terminal.notePaint('warn', safeLine(error.message)));
  }

  async #answerInput(runId: string, signal: AbortSignal): Promise<void> {
    const text = await this.#line('message (empty to finish) » ', signal);
    if (signal.aborted) return;
    if (text === undefined || text.trim() === '') await this.#client.runs.finish(runId);
    else await this.#client.runs.sendMessage(runId, text);
  }

  async #answerApproval(runId: string, approval: PendingApproval, signal: AbortSignal): Promise<void> {
    const options = approval.options;
    const list = options.map((option, i) => `${i + 1} ${safeLine(option.name, 60)}`).join(', ');
    for (;;) {
      const text = await ask(this.#terminal, `answer (${list}) » `, { signal });
      if (text === undefined || signal.aborted) return;
      const chosen = options[Number(text.trim()) - 1];
      if (chosen) return this.#client.runs.approve(runId, approval.approvalId, { optionId: chosen.id });
    }
  }

  async #line(question: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#terminal.interactive) return ask(this.#terminal, question, { signal });
    if (!this.#lines) {
      const source = createInterface({ input: this.#terminal.stdin });
      this.#lines = { source, iterator: source[Symbol.asyncIterator]() };
    }
    const next = await this.#lines.iterator.next();
    return next.done ? undefined : next.value;
  }
}
