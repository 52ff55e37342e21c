/** The part of `vscode.l10n` that pure code uses, so that it can be tested outside the workbench. */
export interface Localizer {
  t(message: string, ...args: readonly (string | number | boolean)[]): string;
}

/** The English texts, with `{0}`, `{1}` … filled in as `vscode.l10n.t` does it. */
export const english: Localizer = {
  t: (message, ...args) =>
    message.replace(/\{(\d+)\}/g, (whole, index: string) => String(args[Number(index)] ?? whole)),
};
