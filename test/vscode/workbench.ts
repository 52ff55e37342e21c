import { chromium, type BrowserContext, type Frame, type Locator, type Page } from 'playwright-core';
import type { CodeServer } from './code-server.ts';
import { allowContrast } from './screenshots.ts';
import { findTools } from './tools/install.ts';

/** Long enough for a machine with two busy cores; what takes longer is broken. */
const WAIT_MS = 20_000;
const PATIENCE_MS = 1_500;
/** Folders that are shown at all are there 0.2 s after the window. */
const FOLDERS_MS = 5_000;

/**
 * Sandboxed processes of Chromium need user namespaces, which containers rarely have; the rest keeps it from calling
 * anybody.
 */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface Browser extends AsyncDisposable {
  /** Opens a window of VS Code on a folder, or on a `.code-workspace` file; on nothing where neither is given. */
  open(path?: string, more?: Readonly<Record<string, string>>): Promise<Workbench>;
}

export async function startBrowser(server: CodeServer): Promise<Browser> {
  const context: BrowserContext = await chromium.launchPersistentContext(server.profile, {
    executablePath: findTools().chromium,
    headless: true,
    viewport: { width: 1280, height: 860 },
    args: FLAGS,
  });
  context.setDefaultTimeout(WAIT_MS);
  return {
    async open(path, more = {}) {
      const page = await context.newPage();
      await allowContrast(page);
      const what = path?.endsWith('.code-workspace') ? { workspace: path } : path === undefined ? {} : { folder: path };
      const query = new URLSearchParams({ ...what, ...more }).toString();
      await page.goto(`${server.url}/?${query}`, { waitUntil: 'domcontentloaded' });
      await page.locator('.monaco-workbench .statusbar').waitFor();
      const workbench = new Workbench(page);
      if ('workspace' in what) await untilItHasFolders(workbench);
      return workbench;
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}

/**
 * A window of VS Code in a browser may read the file of its workspace before the connection to the remote side is
 * there, and then stay without folders (15 of 39 first openings). The second time it has the file in its cache: a
 * reload mended each of the 15.
 */
async function untilItHasFolders(workbench: Workbench): Promise<void> {
  const folder = await workbench.inExplorer('');
  for (let reloads = 0; reloads < 3; reloads++) {
    const there = await folder.waitFor({ timeout: FOLDERS_MS }).then(
      () => true,
      () => false,
    );
    if (there) return;
    await workbench.reload();
  }
  await folder.waitFor();
}

/** One window of VS Code, driven as a person would: by what is shown, typed and clicked. */
export class Workbench {
  readonly page: Page;
  readonly quickInput: Locator;

  constructor(page: Page) {
    this.page = page;
    this.quickInput = page.locator('.quick-input-widget:visible');
  }

  /**
   * Runs a command from the palette, by its whole title. A palette that was opened before the extension's commands are
   * registered never shows them, and one that was opened a moment before something else took the focus is gone, so it
   * is opened again until it does.
   */
  async command(title: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget .quick-input-filter input[type=text]');
    const row = this.page.locator(`.quick-input-list .monaco-list-row[aria-label^=${JSON.stringify(title)}]`).first();
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      await this.page.keyboard.press('F1');
      try {
        await input.waitFor({ timeout: PATIENCE_MS });
        await input.fill(`>${title}`, { timeout: PATIENCE_MS });
        await row.waitFor({ timeout: PATIENCE_MS });
        await row.click({ timeout: PATIENCE_MS });
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await this.page.keyboard.press('Escape');
      }
    }
  }

  /** The quick input that has this title. */
  async asked(title: string): Promise<Locator> {
    await this.quickInput.locator('.quick-input-title', { hasText: title }).waitFor();
    return this.quickInput.locator('.quick-input-filter input');
  }

  /** Answers an input box with a text. */
  async answer(title: string, text: string): Promise<void> {
    const input = await this.asked(title);
    await input.fill(text);
    await input.press('Enter');
  }

  /** Takes the file that a dialog for saving proposes, once it does. */
  async acceptFile(title: string, file: string): Promise<void> {
    const input = await this.asked(title);
    const deadline = Date.now() + WAIT_MS;
    while ((await input.inputValue()) !== file) {
      if (Date.now() > deadline) throw new Error(`${title} proposes ${await input.inputValue()}, not ${file}`);
      await this.page.waitForTimeout(50);
    }
    await input.press('Enter');
  }

  /** Signs in to a server that is there, with a key that it knows. */
  async signIn(url: string, apiKey: string): Promise<void> {
    await this.command('Caisson: Sign In…');
    await this.answer('Server', url);
    await this.answer('API Key', apiKey);
    await this.showRuns();
    await this.viewAction('Start Run…').waitFor();
  }

  /** From the box for the prompt, which is open, to the plan of the run. */
  async plan(prompt: string, choices: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.answer('Start Run', prompt);
    await this.choose(choices);
  }

  /** Changes lines of the plan, which is open. */
  async choose(choices: Readonly<Record<string, string>>): Promise<void> {
    await this.planLine('Follow-up').waitFor();
    for (const [line, wanted] of Object.entries(choices)) {
      await this.planLine(line).click();
      await this.quickInput.locator('.quick-input-title', { hasNotText: 'Start Run' }).waitFor();
      await this.choice(wanted).click();
      await this.planLine('Follow-up').waitFor();
    }
  }

  /** A line of the plan, by what it says: `Source`, `Environment`, `Agent`, `Follow-up`. */
  planLine(name: string): Locator {
    return this.quickInput.locator('.quick-input-list .monaco-list-row', { hasText: name }).first();
  }

  /** Starts the run that is planned. */
  async start(): Promise<void> {
    await this.choice('Start').click();
  }

  /** A line of the quick pick that is open. */
  choice(label: string): Locator {
    return this.quickInput.locator('.quick-input-list .monaco-list-row', { hasText: label }).first();
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast', { hasText: text });
  }

  /** Presses a button of a notification. */
  async press(notification: string | RegExp, button: string): Promise<void> {
    await this.notification(notification).getByRole('button', { name: button }).click();
  }

  async clearNotifications(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
    await this.page.locator('.notification-toast').first().waitFor({ state: 'hidden' });
  }

  /** The modal dialog, with this text. */
  dialog(text: string): Locator {
    return this.page.locator('.monaco-dialog-box', { hasText: text });
  }

  async confirm(dialog: string, button: string): Promise<void> {
    await this.dialog(dialog).getByRole('button', { name: button, exact: true }).click();
  }

  status(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item', { hasText: text });
  }

  /** A row of the «Runs» view. */
  run(title: string | RegExp): Locator {
    return this.page.locator('.sidebar .monaco-list-row[role=treeitem]', { hasText: title }).first();
  }

  /** A button in the title of the «Runs» view. */
  viewAction(name: string): Locator {
    return this.page.locator(`.sidebar .title-actions .action-label[aria-label^=${JSON.stringify(name)}]`);
  }

  /** Presses a button that a row shows while the mouse is over it. */
  async inline(row: Locator, action: string): Promise<void> {
    await row.hover();
    await row.locator(`.actions .action-label[aria-label^=${JSON.stringify(action)}]`).click();
  }

  /** Chooses an entry of the context menu of something. A menu takes no click in its first moments. */
  async fromMenu(target: Locator, entry: string): Promise<void> {
    await target.click({ button: 'right' });
    const item = this.page.locator('.monaco-menu .action-menu-item', { hasText: entry }).first();
    const deadline = Date.now() + WAIT_MS;
    await item.waitFor();
    // The one that was taken is gone with the menu, perhaps while it is looked for again.
    do await item.click({ delay: 150, timeout: PATIENCE_MS }).catch(() => undefined);
    while ((await item.isVisible()) && Date.now() < deadline);
  }

  /** A row of the explorer, which is opened. */
  async inExplorer(name: string): Promise<Locator> {
    await this.command('File: Focus on Files Explorer').catch(() => undefined);
    return this.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first();
  }

  tab(title: string | RegExp): Locator {
    return this.page.locator('.editor-group-container .tab', { hasText: title });
  }

  /** The document of the webview that shows `content`. Webviews are found by that: their order is nobody's promise. */
  async webview(content: string): Promise<Frame> {
    const deadline = Date.now() + WAIT_MS;
    for (;;) {
      for (const frame of this.page.frames()) {
        if (frame.parentFrame() === null) continue;
        // A frame may go while it is asked.
        if (
          await frame
            .locator(content)
            .first()
            .isVisible()
            .catch(() => false)
        )
          return frame;
      }
      if (Date.now() > deadline) throw new Error(`No webview shows ${content}`);
      await this.page.waitForTimeout(50);
    }
  }

  /** The panel of the run with this title. */
  async runPanel(title: string): Promise<RunPanel> {
    return new RunPanel(await this.webview(`main.run:has(h1:text-is(${JSON.stringify(title)}))`));
  }

  /** What the terminal in front shows. */
  async terminal(): Promise<string> {
    const rows = await this.page.locator('.terminal-wrapper.active .xterm-rows').innerText();
    return rows.replaceAll('\u00a0', ' ').trimEnd();
  }

  async typeIntoTerminal(text: string): Promise<void> {
    const terminal = this.page.locator('.terminal-wrapper.active .xterm');
    await terminal.waitFor();
    await terminal.locator('.xterm-helper-textarea').focus();
    await this.page.locator('.terminal-wrapper.active .xterm.focus').waitFor();
    await this.page.keyboard.type(text);
  }

  /** Opens the view «Runs» by its icon, which would close it where it is open. */
  async showRuns(): Promise<void> {
    if (await this.page.locator('.sidebar .title-label', { hasText: 'Caisson' }).isVisible()) return;
    await this.page.locator('.activitybar a.action-label[aria-label^="Caisson"]').click();
  }

  async reload(): Promise<void> {
    const loaded = this.page.waitForEvent('domcontentloaded');
    await this.command('Developer: Reload Window');
    await loaded;
    await this.page.locator('.monaco-workbench .statusbar').waitFor();
  }

  /** Windows are tabs of one browser: what is behind another one draws nothing. */
  async toFront(): Promise<void> {
    await this.page.bringToFront();
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

/** The page of one run. */
export class RunPanel {
  readonly frame: Frame;
  constructor(frame: Frame) {
    this.frame = frame;
  }

  async select(tab: 'Transcript' | 'Changes' | 'Egress' | 'Processes' | 'Audit'): Promise<void> {
    await this.frame.getByRole('tab', { name: tab }).click();
  }

  async shows(state: string): Promise<void> {
    await this.frame.locator('header .state', { hasText: state }).waitFor();
  }

  /** A row of the table in front. */
  row(...texts: readonly (string | RegExp)[]): Locator {
    let row = this.frame.locator('.list:visible .row');
    for (const text of texts) row = row.filter({ hasText: text });
    return row.first();
  }

  /** Types into the filter of the table in front: of long tables only what is in view is there at all. */
  async filter(text: string): Promise<void> {
    await this.frame.locator('vscode-text-field:visible input').fill(text);
  }

  button(name: string | RegExp): Locator {
    return this.frame.getByRole('button', { name }).first();
  }

  get banner(): Locator {
    return this.frame.locator('header .banner[role=status]');
  }
}
