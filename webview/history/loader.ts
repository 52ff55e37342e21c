import type { HistoryFromWebview, HistoryToWebview } from '../../shared/protocol/panel.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import type { Host } from '../kit/host-port.ts';
import { queryOf, type Filters } from './query.ts';

type Rows = Extract<HistoryToWebview, { type: 'rows' }>;

export interface Loader {
  readonly rows: readonly Run[];
  /** There is more on the server. */
  readonly more: boolean;
  readonly loading: boolean;
  readonly problem: string | undefined;
  /** Begins again, with other filters. */
  begin(filters: Filters): Promise<void>;
  /** The next page. */
  next(): Promise<void>;
  /** Every page that is left, at most `limit` rows in all. */
  all(limit: number): Promise<void>;
  receive(message: Rows): void;
}

/** The server's own maximum. */
const PAGE = 200;

/** The rows that were loaded, page after page by the server's cursor. An answer to an older question is dropped. */
export function createLoader(host: Host<HistoryFromWebview>, changed: () => void): Loader {
  let rows: Run[] = [];
  let cursor: string | undefined;
  /** The rows are those of other filters; they stay until there are new ones, so that the table does not flicker. */
  let outdated = false;
  let current: Filters | undefined;
  /** Relative times («the last seven days») must mean the same for every page of one list. */
  let asked = 0;
  let expected = -1;
  let loading = false;
  let problem: string | undefined;

  async function load(): Promise<void> {
    if (!current) return;
    loading = true;
    problem = undefined;
    changed();
    let request = -1;
    const { ok, message } = await host.ask(
      { type: 'query', query: queryOf(current, asked), limit: PAGE, ...(cursor !== undefined && { cursor }) },
      (number) => (request = expected = number),
    );
    if (request !== expected) return;
    loading = false;
    if (!ok) {
      problem = message;
      if (outdated) rows = [];
    }
    changed();
  }

  return {
    get rows() {
      return rows;
    },
    get more() {
      return cursor !== undefined;
    },
    get loading() {
      return loading;
    },
    get problem() {
      return problem;
    },
    begin(filters) {
      current = filters;
      asked = Date.now();
      outdated = true;
      cursor = undefined;
      return load();
    },
    next: load,
    async all(limit) {
      const goesOn = (): boolean => cursor !== undefined && problem === undefined && rows.length < limit;
      while (goesOn()) await load();
    },
    receive(message) {
      if (message.request !== expected) return;
      rows = outdated ? [...message.rows] : [...rows, ...message.rows];
      outdated = false;
      cursor = message.nextCursor;
    },
  };
}
