export interface Unsubscribe {
  dispose(): void;
}

/** The shape of `vscode.Event`, for parts that are tested outside the workbench. */
export type Listen<T> = (listener: (value: T) => void) => Unsubscribe;

export class Emitter<T> {
  readonly #listeners = new Set<(value: T) => void>();

  readonly event: Listen<T> = (listener) => {
    this.#listeners.add(listener);
    return { dispose: () => void this.#listeners.delete(listener) };
  };

  fire(value: T): void {
    for (const listener of this.#listeners) listener(value);
  }

  dispose(): void {
    this.#listeners.clear();
  }
}
