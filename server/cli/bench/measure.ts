/** One figure, beside the bare part that it is compared with and the target that it has to meet. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly bare?: { readonly what: string; readonly value: number };
  readonly ratio?: number;
  readonly target: string;
  readonly met: boolean;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank. @throws {RangeError} when there is nothing to rank */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)] ?? sorted[0];
  if (found === undefined) throw new RangeError('there are no values');
  return found;
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

export function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
