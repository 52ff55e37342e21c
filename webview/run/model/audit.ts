import { originalEvent, type ClientEvent } from '../../../shared/client/event.ts';
import { summarize } from './summary.ts';

export interface AuditFilter {
  /** A family (`egress`), or `all`. */
  readonly family: string;
  readonly text: string;
}

export const familyOf = (type: string): string => type.split('.')[0] ?? type;

export function matchesAudit(event: ClientEvent, { family, text }: AuditFilter): boolean {
  const { type, actor, seq } = originalEvent(event);
  if (family !== 'all' && familyOf(type) !== family) return false;
  return text === '' || `${seq} ${type} ${actor} ${summarize(event)}`.toLowerCase().includes(text);
}
