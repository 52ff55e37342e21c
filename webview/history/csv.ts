import type { Run } from '../../shared/protocol/rest.ts';
import type { Names } from './rows.ts';

/** The columns of an export, under the names of the API, so that a script can read both. */
const FIELDS: Record<string, (run: Run, names: Names) => string | number | undefined> = {
  id: (run) => run.id,
  title: (run) => run.title,
  state: (run) => run.state,
  failure: (run) => run.failure?.code,
  member: (run, names) => names.get(run.createdBy.memberId) ?? run.createdBy.memberId,
  environment: (run) => run.environment.name,
  agent: (run) => run.agent.name,
  createdAt: (run) => run.createdAt,
  startedAt: (run) => run.startedAt,
  endedAt: (run) => run.endedAt,
  sandboxed: (run) => String(run.sandboxed),
  wallMs: (run) => run.usage?.wallMs,
  cpuMs: (run) => run.usage?.cpuMs,
  inputTokens: (run) => run.usage?.inputTokens,
  outputTokens: (run) => run.usage?.outputTokens,
  egressAllowed: (run) => run.egress.allowed,
  egressDenied: (run) => run.egress.denied,
  processes: (run) => run.processes,
  files: (run) => run.patch?.files,
  insertions: (run) => run.patch?.insertions,
  deletions: (run) => run.patch?.deletions,
};

/** RFC 4180: CRLF between lines, quotes doubled, and quoted where a comma, quote or line break would mislead. */
export function toCsv(rows: readonly Run[], names: Names): string {
  const fields = Object.entries(FIELDS);
  const lines = rows.map((run) => fields.map(([, pick]) => quoted(pick(run, names))).join(','));
  return `${[fields.map(([name]) => name).join(','), ...lines].join('\r\n')}\r\n`;
}

/** A title is written by anybody: one that begins a formula must not become one in a spreadsheet (OWASP, CSV injection). */
function quoted(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toJson(rows: readonly Run[]): string {
  return `${JSON.stringify(rows, null, 2)}\n`;
}
