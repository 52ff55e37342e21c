import type * as z from 'zod';
import type { Handlers } from '../../shared/protocol/panel.ts';

/** What became of something that was asked for. */
export interface Outcome {
  readonly ok: boolean;
  readonly message?: string | undefined;
}
type WithoutNumber<M> = M extends { request: number } ? Omit<M, 'request'> : never;

/** The extension host as a page sees it. */
export interface Host<Out extends { type: string }> {
  post(message: Out): void;
  /** Numbers and sends a message that will be answered. Never rejects: what fails is an outcome. */
  ask(message: WithoutNumber<Out>, onNumber?: (request: number) => void): Promise<Outcome>;
  /** Hands an answer to whoever asked. */
  settle(answer: { readonly request: number } & Outcome): void;
  problem(what: string, error: unknown): void;
  loadState(): unknown;
  saveState(state: unknown): void;
  listen<In extends { type: string }>(schema: z.ZodType<In>, handlers: Handlers<In>): void;
}
