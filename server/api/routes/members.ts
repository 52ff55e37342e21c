import { listQuery, member, page } from '../../../shared/protocol/rest.ts';
import type { Organizations } from '../../orgs/organizations.ts';
import { route, type AnyRoute } from '../route.ts';

export function memberRoutes({ organizations }: { organizations: Organizations }): AnyRoute[] {
  return [
    route({
      method: 'get',
      path: '/org/members',
      summary: 'List the people of the organization; members see only themselves',
      scope: 'runs:read',
      query: listQuery,
      response: page(member),
      handle: async ({ identity, query }) => {
        const { organizationId, memberId, role } = identity;
        if (role !== 'member') return organizations.members(organizationId, query.limit, query.cursor);
        const self = await organizations.member(memberId);
        return { items: self ? [{ id: self._id, name: self.name, role: self.role }] : [] };
      },
    }),
  ];
}
