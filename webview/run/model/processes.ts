import { isKnownEvent, type ClientEvent } from '../../../shared/client/event.ts';
import type { EventData } from '../../../shared/protocol/events.ts';
import { commandLine, hostAndPort } from './summary.ts';

/** What the kernel saw, in order of time; `depth` tells who started whom. Replaced, not changed, by its end. */
export type ProcessRow = { readonly key: string; readonly at: string; readonly depth: number } & (
  | { readonly kind: 'exec'; readonly data: EventData<'process.exec'>; readonly exit?: EventData<'process.exit'> }
  | { readonly kind: 'connect'; readonly data: EventData<'process.connect'> }
);

export interface ProcessModel {
  readonly rows: readonly ProcessRow[];
  add(event: ClientEvent): void;
}

/** Deeper than this an indentation says nothing any more. */
const MAX_DEPTH = 12;

export function createProcesses(): ProcessModel {
  const rows: ProcessRow[] = [];
  /** The latest program of each process id that has not ended; ids are used again. */
  const alive = new Map<number, { index: number; depth: number }>();

  function depthOf(pid: number, parentPid: number | undefined): number {
    // A process that replaces its program stays where it is in the tree.
    const itself = alive.get(pid);
    if (itself) return itself.depth;
    const parent = parentPid === undefined ? undefined : alive.get(parentPid);
    return parent ? Math.min(parent.depth + 1, MAX_DEPTH) : 0;
  }

  return {
    rows,
    add(event) {
      if (!isKnownEvent(event)) return;
      const { at } = event;
      const key = `e${event.seq}`;
      if (event.type === 'process.exec') {
        const { pid, parentPid } = event.data;
        const depth = depthOf(pid, parentPid);
        alive.set(pid, { index: rows.push({ key, at, depth, kind: 'exec', data: event.data }) - 1, depth });
      } else if (event.type === 'process.connect') {
        const owner = alive.get(event.data.pid);
        const depth = owner ? Math.min(owner.depth + 1, MAX_DEPTH) : 0;
        rows.push({ key, at, depth, kind: 'connect', data: event.data });
      } else if (event.type === 'process.exit') {
        const ended = alive.get(event.data.pid);
        const row = ended && rows[ended.index];
        if (row?.kind !== 'exec') return;
        alive.delete(event.data.pid);
        rows[ended!.index] = { ...row, exit: event.data };
      }
    },
  };
}

export interface ProcessFilter {
  readonly kind: 'all' | 'exec' | 'connect';
  readonly text: string;
}

export function matchesProcess(row: ProcessRow, { kind, text }: ProcessFilter): boolean {
  if (kind !== 'all' && row.kind !== kind) return false;
  if (text === '') return true;
  const words =
    row.kind === 'exec'
      ? `${row.data.pid} ${row.data.path} ${commandLine(row.data.argv, row.data.path)} ${row.data.cwd}`
      : `${row.data.pid} ${row.data.process} ${hostAndPort(row.data.address, row.data.port)}`;
  return words.toLowerCase().includes(text);
}
