import assert from 'node:assert/strict';
import { suite, suiteSetup, suiteTeardown, test } from 'mocha';
import { load, type Loaded } from './loaded.ts';

const URL = process.env['CAISSON_SUITE_SERVER'] ?? '';
const KEY = process.env['CAISSON_SUITE_KEY'] ?? '';

export function secretsTests(): void {
  suite('the API key', () => {
    let loaded: Loaded;
    /** What the user answers, in order. */
    const answers: string[] = [];
    suiteSetup(() => {
      loaded = load();
      loaded.activate();
      const { window } = loaded.api;
      window.showInputBox = async () => answers.shift();
      // Each warning is a question whose last choice is the deed.
      const agree = async (...args: unknown[]) => args.at(-1);
      window.showWarningMessage = agree;
    });
    suiteTeardown(() => loaded.dispose());

    test('is in SecretStorage after signing in, under its server, and nowhere else', async () => {
      answers.push(URL, KEY);
      await loaded.run('caisson.signIn');
      assert.deepEqual([...loaded.secrets], [[`caisson.apiKey:${URL}`, KEY]]);
      const remembered = JSON.stringify([...loaded.memory]);
      assert.ok(remembered.includes(URL), remembered);
      assert.ok(!remembered.includes(KEY));
    });

    test('is gone after signing out', async () => {
      await loaded.run('caisson.signOut');
      assert.equal(loaded.secrets.size, 0);
      assert.ok(!JSON.stringify([...loaded.memory]).includes(URL));
    });
  });
}
