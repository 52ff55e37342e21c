import { API_PREFIX } from '../protocol/version.ts';

/** Where the event stream of a server is: the same host and path, over a WebSocket. */
export function streamUrl(base: URL): string {
  const scheme = base.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${base.host}${base.pathname.replace(/\/$/, '')}${API_PREFIX}/stream`;
}
