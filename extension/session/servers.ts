import { z } from 'zod';
import { SCOPES } from '../../shared/protocol/rest.ts';

/** What is remembered about a server besides its key, which is in SecretStorage only. */
const server = z.object({
  url: z.string(),
  organization: z.string(),
  memberId: z.string(),
  memberName: z.string(),
  role: z.enum(['member', 'lead', 'admin', 'owner']),
  /** Scopes of newer servers are left out rather than refused. */
  scopes: z.array(z.string()).transform((all) => SCOPES.filter((scope) => all.includes(scope))),
});
export type KnownServer = z.infer<typeof server>;

const list = z.object({ current: z.string().nullable(), servers: z.array(server) });
export type ServerList = z.infer<typeof list>;

export const NO_SERVERS: ServerList = { current: null, servers: [] };

/** Reads the list as an earlier version may have written it; one that makes no sense is forgotten. */
export function parseServerList(stored: unknown): ServerList {
  return list.safeParse(stored).data ?? NO_SERVERS;
}

/** The server is known from now on and is the one in use. */
export function withServer(servers: ServerList, added: KnownServer): ServerList {
  return { current: added.url, servers: [...servers.servers.filter(({ url }) => url !== added.url), added] };
}

/** Forgets a server. Nothing takes its place by itself: the next one is the user's to choose. */
export function withoutServer(servers: ServerList, url: string): ServerList {
  return {
    current: servers.current === url ? null : servers.current,
    servers: servers.servers.filter((server) => server.url !== url),
  };
}

export function currentServer({ current, servers }: ServerList): KnownServer | undefined {
  return servers.find(({ url }) => url === current);
}
