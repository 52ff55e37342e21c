import { describe, expect, test, vi } from 'vitest';
import {
  dispatch,
  historyFromWebview,
  historyToWebview,
  panelState,
  runFromWebview,
  runToWebview,
  type HistoryToWebview,
} from '../../../shared/protocol/panel.ts';
import { sampleRow } from '../webview/sample-history.ts';

describe('messages of the run panel', () => {
  test.each([
    [{ type: 'ready' }],
    [{ type: 'subscribe', after: 12 }],
    [{ type: 'act', request: 1, action: 'pause' }],
    [{ type: 'send', request: 1, text: 'go on' }],
    [{ type: 'approve', request: 1, approvalId: 'a', optionId: 'b' }],
    [{ type: 'change', request: 1, action: 'diff', path: 'a.js' }],
    [{ type: 'open_link', url: 'https://example.com/a' }],
  ])('to the host: %j', (message) => expect(runFromWebview.parse(message)).toEqual(message));

  test.each([
    ['a link that is not to the web', { type: 'open_link', url: 'command:workbench.action.quit' }],
    ['a link with a script', { type: 'open_link', url: 'javascript:alert(1)' }],
    ['an empty message', { type: 'send', request: 1, text: '' }],
    ['an action that does not exist', { type: 'act', request: 1, action: 'delete' }],
    ['a position before the beginning', { type: 'subscribe', after: -1 }],
    ['a type that does not exist', { type: 'eval', code: '1' }],
    ['something else', 'ready'],
  ])('refused by the host: %s', (_what, message) => expect(runFromWebview.safeParse(message).success).toBe(false));

  test('events are not looked into: what does not fit is for the page to show', () => {
    const json = JSON.stringify([{ seq: 1, type: 'from.the.future' }, null]);
    expect(runToWebview.parse({ type: 'events', json })).toEqual({ type: 'events', json });
    expect(runToWebview.safeParse({ type: 'events', events: [] }).success).toBe(false);
  });

  test('a page that was kept says which run it shows, whatever else it holds', () => {
    const kept = { runId: 'run_1', server: 'https://caisson.example', tab: 'audit' };
    expect(panelState.parse(kept)).toEqual({ runId: 'run_1', server: 'https://caisson.example' });
    expect(panelState.safeParse(undefined).success).toBe(false);
  });
});

describe('messages of the history', () => {
  test('rows are runs of the API', () => {
    const message = { type: 'rows', request: 1, rows: [sampleRow(5)], nextCursor: 'c' };
    expect(historyToWebview.parse(message)).toEqual(message);
    expect(historyToWebview.safeParse({ ...message, rows: [{ id: 'run_1' }] }).success).toBe(false);
  });

  test.each([['../../.bashrc'], ['a/b.csv'], ['runs.exe'], ['.csv']])('a file is not saved as %s', (fileName) => {
    expect(historyFromWebview.safeParse({ type: 'save', request: 1, fileName, content: '' }).success).toBe(false);
  });
});

describe('dispatch', () => {
  const handlers = () => ({ init: vi.fn<() => void>(), rows: vi.fn<() => void>(), outcome: vi.fn<() => void>() });

  test('each message goes to its own handler, parsed', async () => {
    const to = handlers();
    await dispatch<HistoryToWebview>(historyToWebview, to, { type: 'outcome', request: 2, ok: true, more: 1 });
    expect(to.outcome).toHaveBeenCalledExactlyOnceWith({ type: 'outcome', request: 2, ok: true });
    expect(to.rows).not.toHaveBeenCalled();
  });

  test('what is malformed reaches no handler', async () => {
    const to = handlers();
    await expect(dispatch<HistoryToWebview>(historyToWebview, to, { type: 'constructor' })).rejects.toThrow();
    expect(to.init).not.toHaveBeenCalled();
  });

  test('a message without a handler does not compile', () => {
    const { init, rows } = handlers();
    // @ts-expect-error -- `outcome` is missing
    const incomplete: Parameters<typeof dispatch<HistoryToWebview>>[1] = { init, rows };
    expect(Object.keys(incomplete)).toEqual(['init', 'rows']);
  });
});
