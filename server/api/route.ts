import type { Request, Response } from 'express';
import type { z } from 'zod';
import type { Scope } from '../../shared/protocol/rest.ts';
import type { Identity } from '../auth/identity.ts';

/** One route as data: the router serves it, and the OpenAPI document is made from the same lines. */
export interface Route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Below `/v1`, with Express's `:name` parameters. */
  readonly path: string;
  readonly summary: string;
  /** The scope that the key must have; `public` needs no key, `any` any valid one. */
  readonly scope: Scope | 'any' | 'public';
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  /** What is sent back as JSON; none for 204 and for routes that write the response themselves. */
  readonly response?: R;
  readonly status?: number;
  /** The media type of a response that is not JSON. */
  readonly produces?: string;
  /** The media type of a request that is not JSON: the handler reads the stream itself. */
  readonly consumes?: string;
  /** True where `Idempotency-Key` gives the first answer again instead of doing the work twice. */
  readonly idempotent?: boolean;
  /** Counted against the key's limit of run starts. */
  readonly limit?: 'runs';
  readonly handle: (call: Call<P, Q, B>) => Promise<R extends z.ZodType ? z.input<R> | undefined : undefined>;
}

export interface Call<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly identity: Identity;
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  readonly request: Request;
  readonly response: Response;
  /** Aborts when the client has gone away. */
  readonly signal: AbortSignal;
}

export type AnyRoute = Route<z.ZodType, z.ZodType, z.ZodType, z.ZodType>;

/** Gives a handler the types of its own schemas, and forgets them so that routes of all kinds fit in one list. */
export function route<
  P extends z.ZodType = z.ZodUnknown,
  Q extends z.ZodType = z.ZodUnknown,
  B extends z.ZodType = z.ZodUnknown,
  R extends z.ZodType = z.ZodUnknown,
>(definition: Route<P, Q, B, R>): AnyRoute {
  return definition;
}
