import assert from 'node:assert/strict';
import childProcess from 'node:child_process';
import dns from 'node:dns';
import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { suite, test } from 'mocha';
import * as vscode from 'vscode';
import { extension, load } from './loaded.ts';

/** Everything by which a program reaches a disk, a network or another program. */
const WAYS_OUT: Readonly<Record<string, object>> = {
  fs,
  'fs/promises': fsPromises,
  net,
  http,
  https,
  dns,
  child_process: childProcess,
};

/** Shown, not judged: a limit would fail on a busy machine. */
export const measured = { activateMs: Number.NaN };

/** Runs `work` and tells which functions of these modules it has called. */
function callsDuring(work: () => void): string[] {
  const calls: string[] = [];
  const restore: (() => void)[] = [];
  const watch = (owner: object, name: string, label: string): void => {
    const record = owner as Record<string, unknown>;
    const real = record[name];
    // Classes (`fs.Stats`, `net.Socket`) are data as far as this goes; what they are made for goes through functions.
    if (typeof real !== 'function' || /^[A-Z_]/.test(name)) return;
    const descriptor = Object.getOwnPropertyDescriptor(record, name);
    if (!descriptor?.writable) return;
    record[name] = (...args: unknown[]): unknown => {
      calls.push(label);
      return (real as (...all: unknown[]) => unknown).apply(owner, args);
    };
    restore.push(() => (record[name] = real));
  };
  for (const [module, owner] of Object.entries(WAYS_OUT))
    for (const name of Object.keys(owner)) watch(owner, name, `${module}.${name}`);
  watch(globalThis, 'fetch', 'fetch');
  try {
    work();
  } finally {
    for (const undo of restore) undo();
  }
  return calls;
}

export function activationTests(): void {
  suite('activation', () => {
    test('the recorder sees files, processes and connections', () => {
      const seen = callsDuring(() => {
        fs.existsSync('/');
        childProcess.spawn('true').on('error', () => undefined);
        net.connect(1, '127.0.0.1').on('error', () => undefined);
        void fsPromises.stat('/');
      });
      for (const call of ['fs.existsSync', 'child_process.spawn', 'net.connect', 'fs/promises.stat'])
        assert.ok(seen.includes(call), `${call} among ${seen.join(', ')}`);
    });

    test('touches no file, no network, no process and no secret', () => {
      const loaded = load();
      try {
        const calls = callsDuring(() => {
          const started = performance.now();
          loaded.activate();
          measured.activateMs = performance.now() - started;
        });
        assert.deepEqual(calls, []);
        assert.deepEqual(loaded.secretCalls, []);
        assert.equal(loaded.memory.size, 0);
      } finally {
        loaded.dispose();
      }
    });
  });
}

/** VS Code activates an extension once, so this comes after everything that does it by itself. */
export function realActivationTests(): void {
  suite('activation by VS Code', () => {
    test('registers every command of the manifest', async () => {
      await extension().activate();
      const { commands } = (extension().packageJSON as { contributes: { commands: { command: string }[] } })
        .contributes;
      const registered = new Set(await vscode.commands.getCommands(true));
      assert.deepEqual(
        commands.map(({ command }) => command).filter((command) => !registered.has(command)),
        [],
      );
    });
  });
}
