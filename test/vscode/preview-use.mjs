import assert from 'node:assert/strict';

/** Uses the run panel by mouse and keyboard, and looks at what it says to the host. */
export async function useRunPanel({ open, tell, batches, init, sampleRun }) {
  const events = sampleRun();
  const tab = await open('run', 'dark');
  tab.on('dialog', (dialog) => assert.fail(`a script of the agent ran: ${dialog.message()}`));
  const said = (type) => tab.evaluate((t) => window.said.filter((m) => m.type === t), type);
  const lastOf = async (type) => (await said(type)).at(-1);
  const begin = () =>
    tell(tab, init, { type: 'connection', state: 'live' }, ...batches(events), {
      type: 'caught_up',
      seq: events.length,
    });
  const answer = async (type, outcome) =>
    tell(tab, { type: 'outcome', request: (await lastOf(type)).request, ...outcome });
  const settled = () => tab.waitForTimeout(450);

  assert.equal((await said('ready')).length, 1);
  await begin();
  await tab.getByText('Approval needed', { exact: true }).waitFor();
  assert.deepEqual(await said('subscribe'), [{ type: 'subscribe', after: 0 }]);
  assert.equal(
    await tab.locator('[aria-live=assertive]').textContent(),
    'Approval needed: npm publish --access public',
  );

  // An approval by keyboard: reached, answered, refused by the server, and answered again.
  await tab.getByRole('button', { name: 'Answer (1)' }).focus();
  await tab.keyboard.press('Enter');
  const focused = () => tab.evaluate(() => document.activeElement.getAttribute('aria-label'));
  assert.equal(await focused(), 'Allow once: npm publish --access public');
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Tab');
  assert.equal(await focused(), 'Reject: npm publish --access public');
  await tab.keyboard.press('Enter');
  const { approvalId, optionId } = await lastOf('approve');
  assert.deepEqual({ approvalId, optionId }, { approvalId: 'apr_1', optionId: 'no' });
  await tab.keyboard.press('Enter');
  assert.equal((await said('approve')).length, 1, 'a question that is being answered is not answered twice');
  await answer('approve', { ok: false, message: 'The server is away.' });
  await tab.locator('.item-approval').getByText('The server is away.').waitFor();
  await tab.getByRole('button', { name: /^Allow once/ }).click();
  assert.equal((await said('approve')).length, 2);

  // A follow-up, and an action that fails.
  await tab.locator('vscode-text-area textarea').fill('Leave publishing to me.');
  await tab.keyboard.press('Control+Enter');
  assert.equal((await lastOf('send')).text, 'Leave publishing to me.');
  await answer('send', { ok: true });
  await settled();
  assert.equal(await tab.locator('vscode-text-area textarea').inputValue(), '');
  await tab.getByRole('button', { name: 'Pause' }).click();
  assert.equal((await lastOf('act')).action, 'pause');
  await answer('act', { ok: false, message: 'The run is ending.' });
  await tab.getByText('The run is ending.').first().waitFor();

  // A link is told to the host and goes nowhere by itself.
  const before = tab.url();
  await tab.getByRole('link', { name: 'the documentation' }).click();
  assert.deepEqual(await lastOf('open_link'), { type: 'open_link', url: 'https://example.com/docs' });
  assert.equal(tab.url(), before);

  // What was sent already changes nothing; what is missing is asked for.
  await tell(tab, { type: 'events', json: JSON.stringify(events.slice(20)) });
  const later = sampleRun({ ended: true });
  await tell(tab, { type: 'events', json: JSON.stringify(later.slice(events.length + 1)) });
  await settled();
  assert.deepEqual(await lastOf('subscribe'), { type: 'subscribe', after: events.length });
  assert.equal(await tab.locator('#tab-audit .count').textContent(), String(events.length));

  // Whoever reads stays where they are while events come; whoever is at the end follows.
  const list = tab.locator('.list[role=feed]');
  const top = () =>
    list.evaluate((element) => {
      const row = [...element.querySelectorAll('.row')].find(
        (each) => each.getBoundingClientRect().bottom > element.getBoundingClientRect().top + 1,
      );
      return `${row.textContent.slice(0, 30)} ${Math.round(row.getBoundingClientRect().top)}`;
    });
  await list.hover();
  await tab.mouse.wheel(0, -150);
  await settled();
  const reading = await top();
  await tell(tab, ...batches(later.slice(events.length)));
  await settled();
  assert.equal(await top(), reading);
  await tab.getByRole('button', { name: 'Latest' }).click();
  await settled();
  await tab.getByText('Succeeded').last().waitFor();
  assert.ok(await tab.locator('.composer').isHidden(), 'a run that has ended takes no messages');

  // Hidden and shown again: the same tab, the same place, the same things open.
  await tab.getByRole('tab', { name: 'Audit' }).click();
  const audit = tab.locator('.audit-table');
  await audit.evaluate((element) => (element.scrollTop = 300));
  await settled();
  await audit.locator('.disclosure', { hasText: '20' }).click();
  await settled();
  const audited = () => audit.evaluate((element) => Math.round(element.scrollTop));
  const place = await audited();
  await tab.reload();
  await begin();
  await tell(tab, ...batches(later.slice(events.length)));
  await settled();
  assert.equal(await tab.getByRole('tab', { selected: true }).textContent(), `Audit${later.length}`);
  assert.equal(await audited(), place);
  assert.equal(await audit.locator('.block').count(), 1);

  // The tabs by keyboard, and a filter.
  await tab.getByRole('tab', { name: 'Audit' }).focus();
  await tab.keyboard.press('ArrowLeft');
  await tab.keyboard.press('ArrowLeft');
  assert.match(await tab.getByRole('tab', { selected: true }).textContent(), /^Egress/);
  await tab.locator('vscode-text-field:visible input').fill('metadata');
  await tab.locator('.table-count:visible', { hasText: '1 of 3' }).waitFor();
  assert.equal(await tab.locator('.egress-table .row:not(.head)').count(), 1);
  assert.deepEqual(
    (await said('problem')).map((m) => m.message),
    [],
  );
  await tab.close();
  console.log('used by mouse and keyboard: as it should be');
}
