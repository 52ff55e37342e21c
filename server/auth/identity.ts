import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Scope } from '../../shared/protocol/rest.ts';

export type Role = 'member' | 'lead' | 'admin' | 'owner';

/** Who makes a request, as the API key said. */
export interface Identity {
  readonly organizationId: string;
  readonly memberId: string;
  readonly role: Role;
  readonly keyId: string;
  readonly scopes: readonly Scope[];
  /** Milliseconds since 1970 when the key stops working, if it does. */
  readonly expiresAt: number | undefined;
}

/** @throws {CaissonError} `forbidden` when the key does not have the scope */
export function requireScope(identity: Identity, scope: Scope): void {
  if (identity.scopes.includes(scope)) return;
  throw new CaissonError(
    'forbidden',
    `This API key does not have the scope ${scope}. Create one that has it: \`caisson key create --scope ${scope}\`.`,
  );
}
