/** Says one line about what is going on now; the terminal shows it with the elapsed time. */
export type Progress = (line: string) => void;

/**
 * What a look at the machine found. `byHand` is present where setup cannot make the change itself (no root, not a
 * Debian host): the commands a person runs instead.
 */
export type Finding =
  | { readonly done: true; readonly note: string }
  | { readonly done: false; readonly will: readonly string[]; readonly byHand?: readonly string[] };

/** One thing that a machine needs. `check` changes nothing; `apply` may be called again after a failure half way. */
export interface Step {
  readonly name: string;
  check(): Promise<Finding>;
  apply(progress: Progress): Promise<void>;
}

/** A set-up step could not be done; the message says what to do about it. */
export class SetupError extends Error {
  override readonly name = 'SetupError';
}
