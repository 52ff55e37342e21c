import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { Workbench } from './workbench.ts';

const FOLDER = fileURLToPath(new URL('./screenshots/', import.meta.url));

/** What the machine prefers, and the classes by which the workbench and its webviews show that they have followed. */
const THEMES = {
  light: { scheme: 'light', contrast: false, workbench: '.monaco-workbench.vs', webview: 'vscode-light' },
  dark: { scheme: 'dark', contrast: false, workbench: '.monaco-workbench.vs-dark', webview: 'vscode-dark' },
  contrast: {
    scheme: 'dark',
    contrast: true,
    workbench: '.monaco-workbench.hc-black',
    webview: 'vscode-high-contrast',
  },
} as const;
type Theme = keyof typeof THEMES;

/**
 * Lets a page be told that its machine wants high contrast. Chromium's own emulation of forced colours would also paint
 * everything in its colours, which is not how the themes look.
 */
export async function allowContrast(page: Page): Promise<void> {
  await page.addInitScript(`{
    const real = window.matchMedia.bind(window);
    const query = Object.assign(new EventTarget(), { matches: false, media: '(forced-colors: active)' });
    window.matchMedia = (text) => (text.includes('forced-colors') ? query : real(text));
    window.setContrast = (on) => {
      query.matches = on;
      query.dispatchEvent(new Event('change'));
    };
  }`);
}

/** What the window looked like when a test failed. */
export async function shootFailure({ page }: Workbench, name: string): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await page.screenshot({ path: join(FOLDER, `failed-${name.replace(/\W+/g, '-').slice(0, 60)}.png`) });
}

/** Takes pictures for people to look at, in three themes each, into a folder that git ignores. */
export function createCamera({ page }: Workbench): {
  shoot(name: string): Promise<void>;
  /** Does something in each of the themes. */
  inEachTheme(work: () => Promise<void>): Promise<void>;
} {
  let current: Theme | undefined;

  async function change(theme: Theme): Promise<void> {
    if (current === theme) return;
    const { scheme, contrast, workbench, webview } = THEMES[theme];
    await page.evaluate(`window.setContrast(${contrast})`);
    await page.emulateMedia({ colorScheme: scheme });
    await page.locator(workbench).waitFor();
    for (const frame of page.frames()) {
      const shown = await frame
        .locator('main')
        .first()
        .isVisible()
        // A webview that was closed meanwhile has nothing to follow.
        .catch(() => false);
      if (shown) await frame.locator(`body.${webview}`).waitFor();
    }
    current = theme;
  }

  async function inEachTheme(work: (theme: Theme) => Promise<void>): Promise<void> {
    // The theme that is on comes first: that saves a change.
    const themes = Object.keys(THEMES) as Theme[];
    themes.sort((a, b) => Number(b === current) - Number(a === current));
    for (const theme of themes) {
      await change(theme);
      await work(theme);
    }
  }

  return {
    inEachTheme,
    async shoot(name) {
      await mkdir(FOLDER, { recursive: true });
      // No hover, and nothing that is still being loaded.
      await page.mouse.move(640, 850);
      await page.locator('.part .monaco-progress-container.active:visible').first().waitFor({ state: 'hidden' });
      await inEachTheme(async (theme) => void (await page.screenshot({ path: join(FOLDER, `${name}-${theme}.png`) })));
    },
  };
}
