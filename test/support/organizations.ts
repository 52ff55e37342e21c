import type { Client } from '../../shared/client/client.ts';
import type { Role } from '../../server/auth/identity.ts';
import { ORGANIZATION_KEY } from '../../server/orgs/organization-keys.ts';
import { connect, type TestServer } from './server.ts';

export interface Tenant {
  readonly organizationId: string;
  readonly apiKey: string;
  readonly client: Client;
}

/** Another tenant on the same server, made as the first start makes the first one. */
export async function secondOrganization({ server, url }: TestServer): Promise<Tenant> {
  const { organizations, environments, vault } = server.context;
  const organization = await organizations.create(
    'Another organization',
    vault.createDataKey(ORGANIZATION_KEY).wrapped,
  );
  await environments.ensureDefault(organization._id);
  return addMember({ server, url }, organization._id, 'owner');
}

/** One more person in an organization, with a key of their own. */
export async function addMember(
  { server, url }: Pick<TestServer, 'server' | 'url'>,
  organizationId: string,
  role: Role,
): Promise<Tenant> {
  const { organizations, apiKeys } = server.context;
  const member = await organizations.addMember(organizationId, `A ${role}`, role);
  const { key } = await apiKeys.create({ organizationId, memberId: member._id, role, name: `Key of a ${role}` });
  return { organizationId, apiKey: key, client: connect(url, key) };
}
