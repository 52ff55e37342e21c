/** @param folder where to put it; the repository's root by default */
export function makePackage(folder?: string): Promise<{ file: string; bytes: number }>;
