import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Cleanup } from '../../server/base/lifecycle.ts';
import { startScriptedModel, type Block, type Turn } from '../support/scripted-model.ts';
import { repository } from '../support/server.ts';
import { startDesk, type Desk } from './desk.ts';

export const PROMPT = 'Mend add(), and take the notes into account';
export const NOTES = 'Adding should add.\n';

/** The agent's list of things to do, by what has become of each. */
function plan(sign: string, notes: string): Block {
  const todos = [
    { content: 'Mend the sign', activeForm: 'Mending the sign', status: sign },
    { content: 'Read the notes', activeForm: 'Reading the notes', status: notes },
  ];
  return { tool: 'TodoWrite', input: { todos } };
}

/** What the model says: it plans, mends a file, reads an untracked one, fetches what it may and tries what it may not. */
function turns(notesUrl: string): Turn[] {
  const look = `cat notes.txt && curl -sS ${notesUrl} && curl -sS --max-time 5 https://telemetry.example.org/collect; true`;
  return [
    [
      { text: 'The sign in `add()` is wrong. I will **mend** it first.' },
      plan('in_progress', 'pending'),
      {
        tool: 'Bash',
        input: { command: "sed -i 's/a - b/a + b/' add.py && cat add.py", description: 'Mend the sign' },
      },
    ],
    [plan('completed', 'in_progress'), { tool: 'Bash', input: { command: look, description: 'Read the notes' } }],
    [
      {
        text: [
          'Now it adds:\n',
          '```python\ndef add(a, b):\n    return a + b\n```\n',
          '| file | change |\n| --- | --- |\n| `add.py` | the sign |\n',
          'The telemetry host was **refused**, which is [as it should be](https://example.org/policy). <b>done</b>',
        ].join('\n'),
      },
    ],
  ];
}

/** A desk with a dirty repository, and a scripted model for the real agent. */
export interface Scenario extends Desk {
  readonly folder: string;
  readonly git: (...args: string[]) => Promise<string>;
}

export async function startScenario(vsix: string): Promise<Scenario> {
  const cleanup = new Cleanup();
  try {
    const repo = await repository({
      'add.py': 'def add(a, b):\n    return a - b\n',
      'README.md': '# Sums\n',
      '.gitignore': 'secret.env\n',
    });
    cleanup.add('repository', repo.dispose);
    // Dirty in every way: changed, untracked, ignored.
    await writeFile(join(repo.path, 'README.md'), '# Sums\n\nNot committed yet.\n');
    await writeFile(join(repo.path, 'notes.txt'), NOTES);
    await writeFile(join(repo.path, 'secret.env'), 'TOKEN=hunter2\n');

    const upstream = createServer((_request, response) => response.end('from the network\n'));
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    cleanup.add('upstream', () => void upstream.close());
    const { port } = upstream.address() as AddressInfo;
    const model = await startScriptedModel(turns(`http://notes.internal:${port}/`));
    cleanup.add('model', () => model.close());
    const desk = await startDesk({
      vsix,
      server: {
        CAISSON_MODEL_URL_ANTHROPIC: model.url,
        CAISSON_EGRESS_PRIVATE_HOSTS: `notes.internal:${port}=127.0.0.1/32`,
      },
    });
    cleanup.add('desk', async () => desk[Symbol.asyncDispose]());
    await desk.caisson.client.environments.create({
      name: 'asking',
      description: 'Asks before it acts',
      approval: 'ask',
      network: { mode: 'allowlist', groups: ['models'], patterns: [`notes.internal:${port}`], allowNonTls: false },
    });
    return { ...desk, folder: repo.path, git: repo.git, [Symbol.asyncDispose]: () => cleanup.run() };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
