import { CaissonError } from '../../shared/protocol/errors.ts';
import { readCredentials, serverKey } from './credentials.ts';

export const DEFAULT_URL = 'http://127.0.0.1:7480';

export interface Settings {
  readonly baseUrl: string;
  readonly apiKey: string;
}

/** Where the server is and who asks: from CAISSON_URL and CAISSON_API_KEY, else from the credentials file. */
export async function readSettings(env: NodeJS.ProcessEnv, credentials?: string): Promise<Settings> {
  const baseUrl = env['CAISSON_URL'] || DEFAULT_URL;
  if (!URL.canParse(baseUrl))
    throw new CaissonError(
      'invalid_request',
      `CAISSON_URL="${baseUrl}" is not an address; it must look like ${DEFAULT_URL}`,
    );
  if (env['CAISSON_API_KEY']) return { baseUrl, apiKey: env['CAISSON_API_KEY'] };
  const saved = (await readCredentials(credentials)).servers[serverKey(baseUrl)];
  if (saved) return { baseUrl, apiKey: saved.apiKey };
  throw new CaissonError(
    'unauthenticated',
    `There is no API key for ${baseUrl}. Start the server on this machine with \`caisson serve\`, which saves one, ` +
      'or set CAISSON_API_KEY (and CAISSON_URL).',
  );
}
