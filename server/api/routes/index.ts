import type { Context } from '../../context.ts';
import type { AnyRoute } from '../route.ts';
import { agentRoutes } from './agents.ts';
import { environmentRoutes } from './environments.ts';
import { keyRoutes } from './keys.ts';
import { memberRoutes } from './members.ts';
import { runRoutes } from './runs.ts';
import { uploadRoutes } from './uploads.ts';

/** Every route of the API, in the order in which the OpenAPI document shows them. */
export function allRoutes(context: Context): AnyRoute[] {
  const { serverId, config } = context;
  return [
    ...runRoutes(context),
    ...uploadRoutes(context),
    ...environmentRoutes(context),
    ...agentRoutes(context),
    ...keyRoutes({ ...context, server: { id: serverId, version: config.version } }),
    ...memberRoutes(context),
  ];
}
