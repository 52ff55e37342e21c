/** What the tests in the extension host hand to the one that started them. */
export interface SuiteResults {
  readonly passed: readonly string[];
  readonly failed: readonly { readonly title: string; readonly error: string }[];
  /** Milliseconds that `activate()` took of its own, for the first time. */
  readonly activateMs: number;
}
