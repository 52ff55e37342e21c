/** What a look at one need found. `mend` says what a person does about it, and is there whenever `ok` is false. */
export type Check =
  | { readonly name: string; readonly ok: true; readonly found: string }
  | { readonly name: string; readonly ok: false; readonly found: string; readonly mend: string };

export const good = (name: string, found: string): Check => ({ name, ok: true, found });
export const bad = (name: string, found: string, mend: string): Check => ({ name, ok: false, found, mend });
