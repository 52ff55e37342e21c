import type { IncomingMessage } from 'node:http';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { ApiKeys } from '../auth/api-keys.ts';
import type { Identity } from '../auth/identity.ts';

/** RFC 6750 section 2.1: the key comes in the Authorization header, and nowhere else. */
export function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer +([\w~+/.-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** @throws {CaissonError} `unauthenticated`, the same for a missing, malformed, unknown, expired and revoked key */
export async function authenticate(request: IncomingMessage, apiKeys: ApiKeys): Promise<Identity> {
  const presented = bearerOf(request);
  const identity = presented === undefined ? undefined : await apiKeys.authenticate(presented);
  if (!identity)
    throw new CaissonError(
      'unauthenticated',
      'A valid API key is needed: `Authorization: Bearer csn_live_…`. It may be missing, unknown, expired or revoked.',
    );
  return identity;
}
