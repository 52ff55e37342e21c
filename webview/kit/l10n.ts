/** Translations, with the semantics of `vscode.l10n.t`: the English text is the key, `{0}` are the arguments. */
let bundle: Readonly<Record<string, string>> = {};
let language = 'en';

/** @param locale BCP 47, for dates and numbers; one that the browser does not know means English */
export function setLanguage(strings: Readonly<Record<string, string>>, locale: string): void {
  bundle = strings;
  try {
    language = Intl.getCanonicalLocales(locale)[0] ?? 'en';
  } catch {
    language = 'en';
  }
}

export function locale(): string {
  return language;
}

export function t(message: string, ...args: readonly (string | number)[]): string {
  const text = Object.hasOwn(bundle, message) ? bundle[message]! : message;
  return text.replace(/\{(\d+)\}/g, (whole, index: string) => {
    const value = args[Number(index)];
    return value === undefined ? whole : String(value);
  });
}
