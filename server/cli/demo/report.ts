import { verifyChain } from '../../../shared/audit/verify.ts';
import type { Client } from '../../../shared/client/client.ts';
import type { ClientEvent } from '../../../shared/client/event.ts';
import type { EventOf, EventType } from '../../../shared/protocol/events.ts';
import { formatBytes, formatMs, formatTable } from '../output/format.ts';
import type { Paint } from '../output/paint.ts';
import { safeLine } from '../output/safe-text.ts';

/** What `--json` ends with; the names are a promise to scripts. */
export interface DemoReport {
  readonly runId: string;
  readonly state: string;
  readonly events: number;
  readonly egress: { readonly allowed: number; readonly denied: number };
  readonly processes: number;
  readonly patchFiles: number;
  readonly chain: { readonly verified: boolean };
  readonly sandbox: { readonly runtime: string; readonly coldStartMs: number };
}

interface Output {
  readonly paint: Paint;
  readonly write: (line?: string) => void;
}

/** Tells what came of the run, from its log alone, and verifies that log. */
export async function report(client: Client, runId: string, output: Output): Promise<DemoReport> {
  const run = await client.runs.get(runId);
  const events: ClientEvent[] = [];
  for await (const event of client.runs.allEvents(runId)) events.push(event);
  const ready = of(events, 'sandbox.ready')[0];
  const proof = await client.runs.proof(runId);
  const chain = verifyChain(events, { expectedHead: proof.head, runId });
  const { paint, write } = output;

  write(paint('strong', '\nThe patch, ready to be applied:'));
  if (run.patch) {
    const patch = new TextDecoder().decode(await client.runs.patch(runId));
    for (const line of patch.trimEnd().split('\n')) write(`  ${paintDiff(paint, safeLine(line))}`);
  }
  showEgress(events, output);
  showProcesses(events, output);
  if (run.usage) {
    write(paint('strong', '\nUsage:'));
    write(
      `  ${formatMs(run.usage.wallMs)} wall clock, ${formatMs(run.usage.cpuMs)} CPU, ${formatBytes(run.usage.egressSentBytes)} out, ${formatBytes(run.usage.egressReceivedBytes)} in`,
    );
  }
  write(
    chain.ok
      ? paint(
          'good',
          `\n✔ chain verified: ${events.length} events, each sealed by the hash of the one before, head ${chain.head.slice(0, 16)}…`,
        )
      : paint('bad', `\n✘ chain broken at event ${chain.seq}: ${chain.message}`),
  );
  return {
    runId,
    state: run.state,
    events: events.length,
    egress: run.egress,
    processes: run.processes,
    patchFiles: run.patch?.files ?? 0,
    chain: { verified: chain.ok },
    sandbox: { runtime: ready?.data.runtime ?? 'none', coldStartMs: ready?.data.coldStartMs ?? 0 },
  };
}

function showEgress(events: readonly ClientEvent[], { paint, write }: Output): void {
  write(paint('strong', '\nWhat tried to get out, and what the gateway decided:'));
  for (const event of events) {
    if (event.type !== 'egress.allowed' && event.type !== 'egress.denied') continue;
    const allowed = event.type === 'egress.allowed';
    write(
      `  ${paint(allowed ? 'good' : 'bad', allowed ? '✔ allowed' : '✘ denied ')} ${safeLine(`${event.data.host}:${event.data.port}`)}`,
    );
    write(`      ${paint('dim', safeLine(event.data.reason))}`);
  }
}

function showProcesses(events: readonly ClientEvent[], { paint, write }: Output): void {
  const programs = new Map<string, number>();
  for (const event of of(events, 'process.exec'))
    programs.set(event.data.path, (programs.get(event.data.path) ?? 0) + 1);
  const rows = [...programs].sort((a, b) => b[1] - a[1]).slice(0, 12);
  write(paint('strong', '\nWhat gVisor’s kernel saw start, whatever the agent says:'));
  for (const line of formatTable(rows.map(([path, count]) => [`${count} ×`, safeLine(path)]))) write(`  ${line}`);
}

function paintDiff(paint: Paint, line: string): string {
  if (/^(\+\+\+|---|diff |index |new file)/.test(line)) return paint('dim', line);
  return line.startsWith('+') ? paint('good', line) : line.startsWith('-') ? paint('bad', line) : line;
}

function of<T extends EventType>(events: readonly ClientEvent[], type: T): EventOf<T>[] {
  return events.filter((event): event is EventOf<T> => event.type === type);
}
