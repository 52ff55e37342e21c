import '../kit/csp.ts';
import * as z from 'zod';
import { runToWebview, type RunFromWebview, type RunToWebview } from '../../shared/protocol/panel.ts';
import { connectHost } from '../kit/host.ts';
import { setLanguage } from '../kit/l10n.ts';
import { createRunPage, type RunPage } from './run-page.ts';

const host = connectHost<RunFromWebview>();
let page: RunPage | undefined;
/** What came before `init`: the order of messages is kept, but not taken for granted. */
const early: ((to: RunPage) => void)[] = [];
const later = (use: (to: RunPage) => void): void => void (page ? use(page) : early.push(use));

host.listen<RunToWebview>(runToWebview, {
  init: (init) => {
    if (page) return; // The host answers every `ready`; a page has one run for its life.
    setLanguage(init.strings, init.locale);
    const made = (page = createRunPage(host, init));
    document.getElementById('app')?.replaceChildren(made.element);
    for (const use of early.splice(0)) use(made);
    made.start();
  },
  events: ({ json }) => {
    const events = z.array(z.unknown()).parse(JSON.parse(json));
    later((to) => to.receive(events));
  },
  caught_up: ({ seq }) => later((to) => to.caughtUp(seq)),
  connection: (message) => later((to) => to.connection(message)),
  changes: (message) => later((to) => to.changes(message)),
  outcome: (message) => host.settle(message),
});
host.post({ type: 'ready' });
