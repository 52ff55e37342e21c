import '../kit/csp.ts';
import { historyToWebview, type HistoryFromWebview, type HistoryToWebview } from '../../shared/protocol/panel.ts';
import { connectHost } from '../kit/host.ts';
import { setLanguage } from '../kit/l10n.ts';
import { createHistoryPage, type HistoryPage } from './history-page.ts';

const host = connectHost<HistoryFromWebview>();
let page: HistoryPage | undefined;

host.listen<HistoryToWebview>(historyToWebview, {
  init: (init) => {
    // A second one comes with another session: other members, other runs.
    setLanguage(init.strings, init.locale);
    page = createHistoryPage(host, init);
    document.getElementById('app')?.replaceChildren(page.element);
    page.start();
  },
  rows: (message) => {
    page?.rows(message);
    host.settle({ request: message.request, ok: true });
  },
  outcome: (message) => host.settle(message),
});
host.post({ type: 'ready' });
