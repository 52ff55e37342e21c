import type { RunFromWebview } from '../../../shared/protocol/panel.ts';
import type { createAnnouncer } from '../../kit/announce.ts';
import type { Expanded } from '../../kit/expanded.ts';
import type { Host } from '../../kit/host-port.ts';
import type { RunStore } from '../store.ts';
import type { UiState } from '../ui-state.ts';

/** What every view of the run panel is given. */
export interface Page {
  readonly host: Host<RunFromWebview>;
  readonly store: RunStore;
  readonly ui: UiState;
  /** Asks for an update in the next frame. */
  readonly wake: () => void;
  /** Keeps `ui`, soon. */
  readonly save: () => void;
  readonly expanded: Expanded;
  readonly announcer: ReturnType<typeof createAnnouncer>;
  readonly readOnly: boolean;
  /** The actor that the user is in the log. */
  readonly self: string | undefined;
  readonly clockOffsetMs: number;
}

/** The content of a tab. */
export interface TabView {
  readonly element: HTMLElement;
  /** Shows what the store holds now. @returns true when there is more to do in the next frame */
  update(until: number): boolean;
  /** Called when the tab is left and when the page is about to go, to keep where one was. */
  keep(): void;
}

export const openLink =
  (page: Page) =>
  (url: string): void =>
    page.host.post({ type: 'open_link', url });
