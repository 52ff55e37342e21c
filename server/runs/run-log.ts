import type { EventData, NewEvent } from '../../shared/protocol/events.ts';
import { canFollow, isFinal, type RunStateName } from '../../shared/run/state.ts';
import type { Redactor } from '../vault/redactor.ts';
import { LogUnavailable, type EventLog } from '../events/ports.ts';

/**
 * The one pen of one run: everything that the run says about itself goes through here, redacted, and its state changes
 * here and nowhere else. The first failing append ends it: `onFailClosed` closes the run's egress at once.
 */
export class RunLog {
  readonly runId: string;
  readonly #log: EventLog;
  readonly #redactor: Redactor;
  readonly #onFailClosed: (error: LogUnavailable) => void;
  #state: RunStateName = 'queued';

  constructor(options: {
    runId: string;
    log: EventLog;
    redactor: Redactor;
    onFailClosed: (error: LogUnavailable) => void;
  }) {
    this.runId = options.runId;
    this.#log = options.log;
    this.#redactor = options.redactor;
    this.#onFailClosed = options.onFailClosed;
  }

  get state(): RunStateName {
    return this.#state;
  }

  /** Resolves when the events are durable. @throws {LogUnavailable} after having closed the run's way out */
  async emit(...events: NewEvent[]): Promise<void> {
    try {
      const redacted = events.map((event) => ({ ...event, data: this.#redactor.value(event.data) }) as NewEvent);
      await this.#log.append(this.runId, redacted);
    } catch (error) {
      if (error instanceof LogUnavailable) this.#onFailClosed(error);
      throw error;
    }
  }

  /**
   * Moves the run to another state by appending the event that says so, behind the events that lead to it; all of them
   * are written, or none. The state is taken at the call, so that two transitions made in one tick cannot both start
   * from the same one.
   */
  async transition(
    to: RunStateName,
    extra: Omit<EventData<'run.state'>, 'from' | 'to'> = {},
    before: readonly NewEvent[] = [],
  ): Promise<void> {
    const from = this.#state;
    if (!canFollow(from, to)) throw new Error(`a run cannot go from ${from} to ${to}`);
    this.#state = to;
    try {
      await this.emit(...before, { type: 'run.state', actor: 'server', data: { from, to, ...extra } });
    } catch (error) {
      // What is not in the log did not happen; the end of the run is tried again by its driver.
      if (isFinal(to)) this.#state = from;
      throw error;
    }
  }
}
