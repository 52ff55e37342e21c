/** The value in the middle of a list of numbers; the mean of the two in the middle when their count is even. */
export function median(numbers) {
  const sorted = [...numbers].sort();
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function range(numbers) {
  return Math.max(...numbers) - Math.min(...numbers);
}
