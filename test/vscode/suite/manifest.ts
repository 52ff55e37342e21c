import assert from 'node:assert/strict';
import { suite, test } from 'mocha';
import * as vscode from 'vscode';
import { extension } from './loaded.ts';

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, Setting>> };
  };
}
interface Setting {
  readonly default: unknown;
  readonly markdownDescription?: string;
  readonly markdownEnumDescriptions?: readonly string[];
}

const manifest = () => extension().packageJSON as Manifest;

export function manifestTests(): void {
  suite('the manifest, as VS Code has read it', () => {
    test('nothing is active before it is needed', () => {
      assert.equal(extension().isActive, false);
    });

    test('every setting is described in words, and has its default', () => {
      const settings = Object.entries(manifest().contributes.configuration.properties);
      assert.ok(settings.length >= 4);
      for (const [name, setting] of settings) {
        const texts = [setting.markdownDescription ?? '', ...(setting.markdownEnumDescriptions ?? [])];
        for (const text of texts) assert.match(text, /^[A-Z].{20,}\.$/s, `${name}: «${text}»`);
        assert.deepEqual(vscode.workspace.getConfiguration().get(name), setting.default, name);
      }
    });

    test('every command has a title in words', () => {
      const { commands } = manifest().contributes;
      assert.ok(commands.length >= 20);
      for (const { command, title } of commands) assert.match(title, /^[A-Z][^%]+$/, command);
    });
  });
}
