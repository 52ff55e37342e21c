import { z } from 'zod';
import {
  agent,
  apiKey,
  apiKeyCreated,
  environment,
  member,
  page,
  type Agent,
  type AgentInput,
  type Environment,
  type EnvironmentInput,
} from '../protocol/rest.ts';
import { path, type Http } from './http.ts';

interface ListQuery {
  readonly limit?: number;
  readonly cursor?: string;
}

type EnvironmentDraft = Partial<Omit<EnvironmentInput, 'name'>> & { readonly name: string };
type AgentDraft = Partial<Omit<AgentInput, 'name' | 'command'>> & Pick<AgentInput, 'name' | 'command'>;

const environmentPage = page(environment);
const agentPage = page(agent);
const keyPage = page(apiKey);
const memberPage = page(member);

export function environmentsApi(http: Http) {
  return {
    list: (query: ListQuery = {}): Promise<z.output<typeof environmentPage>> =>
      http.json({ method: 'GET', path: '/environments', query: { ...query } }, environmentPage),
    get: (id: string): Promise<Environment> =>
      http.json({ method: 'GET', path: path`/environments/${id}` }, environment),
    create: (input: EnvironmentDraft): Promise<Environment> =>
      http.json({ method: 'POST', path: '/environments', body: input }, environment),
    update: (id: string, patch: Partial<EnvironmentInput>): Promise<Environment> =>
      http.json({ method: 'PATCH', path: path`/environments/${id}`, body: patch }, environment),
    delete: (id: string): Promise<void> => http.done({ method: 'DELETE', path: path`/environments/${id}` }),
    /** Values are write-only: no answer ever contains one. */
    setSecret: (id: string, name: string, value: string): Promise<void> =>
      http.done({ method: 'PUT', path: path`/environments/${id}/secrets/${name}`, body: { value } }),
    deleteSecret: (id: string, name: string): Promise<void> =>
      http.done({ method: 'DELETE', path: path`/environments/${id}/secrets/${name}` }),
  };
}

export function agentsApi(http: Http) {
  return {
    list: (query: ListQuery = {}): Promise<z.output<typeof agentPage>> =>
      http.json({ method: 'GET', path: '/agents', query: { ...query } }, agentPage),
    get: (id: string): Promise<Agent> => http.json({ method: 'GET', path: path`/agents/${id}` }, agent),
    create: (input: AgentDraft): Promise<Agent> => http.json({ method: 'POST', path: '/agents', body: input }, agent),
    update: (id: string, patch: Partial<Omit<AgentInput, 'name'>>): Promise<Agent> =>
      http.json({ method: 'PATCH', path: path`/agents/${id}`, body: patch }, agent),
    delete: (id: string): Promise<void> => http.done({ method: 'DELETE', path: path`/agents/${id}` }),
  };
}

export function keysApi(http: Http) {
  return {
    list: (query: ListQuery = {}): Promise<z.output<typeof keyPage>> =>
      http.json({ method: 'GET', path: '/api-keys', query: { ...query } }, keyPage),
    /** The answer holds the key itself, this once. */
    create: (input: {
      name: string;
      scopes?: readonly z.output<typeof apiKey>['scopes'][number][];
      expiresAt?: string;
    }): Promise<z.output<typeof apiKeyCreated>> =>
      http.json({ method: 'POST', path: '/api-keys', body: input }, apiKeyCreated),
    revoke: (id: string): Promise<void> => http.done({ method: 'DELETE', path: path`/api-keys/${id}` }),
  };
}

export function membersApi(http: Http) {
  return {
    /** The people of the organization; members see only themselves. */
    list: (query: ListQuery = {}): Promise<z.output<typeof memberPage>> =>
      http.json({ method: 'GET', path: '/org/members', query: { ...query } }, memberPage),
  };
}
