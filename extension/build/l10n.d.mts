export function collect(folder: 'extension' | 'webview'): { texts: string[]; computed: string[] };
export const bundleFile: string;
