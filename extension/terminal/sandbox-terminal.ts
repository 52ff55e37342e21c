import * as vscode from 'vscode';
import type { Terminal, TerminalSize } from '../../shared/client/terminal.ts';
import { shortId } from '../runs/presentation.ts';
import type { Session } from '../session/session.ts';
import { explainError } from '../support/errors.ts';

/** What a terminal has before it was shown for the first time. */
const FIRST_SIZE: TerminalSize = { columns: 80, rows: 24 };

/** 128 and the number of SIGKILL: how a process of the sandbox ends that did not end by itself. */
const KILLED = 137;

/** A shell in the sandbox of a run that goes on, as a terminal of VS Code. The run's log records it. */
export function openSandboxTerminal(session: Session, runId: string): void {
  const written = new vscode.EventEmitter<string>();
  const closed = new vscode.EventEmitter<number | void>();
  let shell: Terminal | undefined;
  const sayLast = (message: string) => {
    // The terminal stays open without a shell, so that its last words can be read; any key closes it.
    written.fire(
      `\r\n\u001b[2m${printable(message)} ${vscode.l10n.t('Press any key to close this terminal.')}\u001b[0m\r\n`,
    );
    shell = undefined;
    over = true;
  };
  let over = false;
  const pseudoterminal: vscode.Pseudoterminal = {
    onDidWrite: written.event,
    onDidClose: closed.event,
    open: (dimensions) => {
      try {
        shell = session.client.openTerminal(runId, dimensions ?? FIRST_SIZE, {
          output: (text) => written.fire(text),
          ended: (exitCode, message) => {
            if (exitCode !== null && exitCode !== KILLED) closed.fire(exitCode);
            else sayLast(message ?? vscode.l10n.t('The shell was ended, as all of a sandbox is when its run ends.'));
          },
        });
      } catch (error) {
        sayLast(explainError(error, vscode.l10n));
      }
    },
    handleInput: (text) => (over ? closed.fire() : shell?.input(text)),
    setDimensions: (size) => shell?.resize(size),
    close: () => {
      shell?.close();
      written.dispose();
      closed.dispose();
    },
  };
  const name = vscode.l10n.t('Sandbox {0}', shortId(runId));
  const iconPath = new vscode.ThemeIcon('server-process');
  vscode.window.createTerminal({ name, pty: pseudoterminal, iconPath, isTransient: true }).show();
}

/** A message is a sentence, not a way to drive the terminal. */
function printable(message: string): string {
  return message.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
