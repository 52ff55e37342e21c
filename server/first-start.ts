import type { Context } from './context.ts';
import { ORGANIZATION_KEY } from './orgs/organization-keys.ts';

/**
 * What makes a new data directory usable: an organization, its owner, an API key for the owner, and the default
 * environment. The key comes back once, and only when it was made now.
 */
export async function prepareFirstStart(context: Context): Promise<{ apiKey: string; keyId: string } | undefined> {
  const { organizations, apiKeys, environments, vault } = context;
  const existing = await organizations.first();
  if (existing) {
    await environments.ensureDefault(existing._id);
    return undefined;
  }
  const { wrapped } = vault.createDataKey(ORGANIZATION_KEY);
  const organization = await organizations.create('My organization', wrapped);
  const owner = await organizations.addMember(organization._id, 'Owner', 'owner');
  await environments.ensureDefault(organization._id);
  const { apiKey, key } = await apiKeys.create({
    organizationId: organization._id,
    memberId: owner._id,
    role: owner.role,
    name: 'First key of the owner',
  });
  return { apiKey: key, keyId: apiKey.id };
}
