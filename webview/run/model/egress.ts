import { isKnownEvent, type ClientEvent } from '../../../shared/client/event.ts';
import type { EventData } from '../../../shared/protocol/events.ts';

/** One attempt to leave the sandbox, and what became of it. Replaced, not changed, when the connection is closed. */
export interface EgressRow {
  readonly key: string;
  readonly at: string;
  readonly decision: 'allowed' | 'denied';
  readonly data: EventData<'egress.allowed'>;
  readonly closed?: EventData<'egress.closed'>;
}

export interface EgressModel {
  readonly rows: readonly EgressRow[];
  readonly denied: number;
  add(event: ClientEvent): void;
}

export function createEgress(): EgressModel {
  const rows: EgressRow[] = [];
  const open = new Map<string, number>();
  let denied = 0;
  return {
    rows,
    get denied() {
      return denied;
    },
    add(event) {
      if (!isKnownEvent(event)) return;
      if (event.type === 'egress.allowed' || event.type === 'egress.denied') {
        const decision = event.type === 'egress.allowed' ? 'allowed' : 'denied';
        if (decision === 'denied') denied++;
        const index = rows.push({ key: `e${event.seq}`, at: event.at, decision, data: event.data }) - 1;
        open.set(event.data.connection, index);
      } else if (event.type === 'egress.closed') {
        const index = open.get(event.data.connection);
        const row = index === undefined ? undefined : rows[index];
        if (index === undefined || !row) return;
        open.delete(event.data.connection);
        rows[index] = { ...row, closed: event.data };
      }
    },
  };
}

export interface EgressFilter {
  readonly decision: 'all' | 'allowed' | 'denied';
  readonly text: string;
}

export function matchesEgress(row: EgressRow, { decision, text }: EgressFilter): boolean {
  if (decision !== 'all' && row.decision !== decision) return false;
  const { host, port, rule, reason, protocol, address = '', path = '' } = row.data;
  return text === '' || `${protocol} ${host}:${port}${path} ${address} ${rule} ${reason}`.toLowerCase().includes(text);
}
