import type { Socket } from 'node:net';
import type { CompiledPolicy, OperatorException } from '../../shared/policy/decide.ts';
import type { Logger } from '../base/logger.ts';
import type { Ledger } from './ledger.ts';
import type { EgressLimits } from './limits.ts';
import type { Resolve } from './resolve.ts';

/** What the parts of one run's gateway share. */
export interface EgressContext {
  readonly policy: CompiledPolicy;
  readonly exceptions: readonly OperatorException[];
  readonly modelUpstreams: Readonly<Record<string, URL>>;
  /** Ordinary names, and names that the operator wrote down (see resolve.ts). */
  readonly resolve: Resolve;
  readonly resolveLocally: Resolve;
  readonly ledger: Ledger;
  readonly limits: EgressLimits;
  readonly logger: Logger;
  /** Aborted when the gateway closes or the log fails. */
  readonly signal: AbortSignal;
  /** Has the socket destroyed with the gateway. */
  readonly track: (socket: Socket) => void;
}
