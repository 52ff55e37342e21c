import * as vscode from 'vscode';

/** The output channel «Caisson», made with its first line: activation creates nothing that nobody reads. */
export class Log implements vscode.Disposable {
  #channel: vscode.LogOutputChannel | undefined;

  get #output(): vscode.LogOutputChannel {
    return (this.#channel ??= vscode.window.createOutputChannel('Caisson', { log: true }));
  }

  info(message: string): void {
    this.#output.info(message);
  }

  warn(message: string, error?: unknown): void {
    this.#output.warn(error === undefined ? message : `${message} ${describe(error)}`);
  }

  error(message: string, error: unknown): void {
    this.#output.error(`${message} ${describe(error)}`);
  }

  show(): void {
    this.#output.show(true);
  }

  dispose(): void {
    this.#channel?.dispose();
  }
}

/** Message and causes; stacks name no secrets, but they are of no use to the one who reads this. */
function describe(error: unknown): string {
  const parts: string[] = [];
  for (let current = error, depth = 0; current !== undefined && depth < 5; depth++) {
    parts.push(current instanceof Error ? `${current.name}: ${current.message}` : JSON.stringify(current));
    current = current instanceof Error ? current.cause : undefined;
  }
  return parts.join(' ← ');
}
