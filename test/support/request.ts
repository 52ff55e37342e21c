import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: unknown;
  /** `error.code` of an error, undefined otherwise. */
  readonly code: string | undefined;
  readonly message: string;
  /** The paths of the fields that were complained about. */
  readonly fields: readonly string[];
}

export interface Ask {
  readonly method?: string;
  readonly path: string;
  readonly key?: string | undefined;
  /** An object is sent as JSON, a string or buffer as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request, byte by byte as given: no client in between that would mend or refuse it. */
export async function ask(baseUrl: string, { method, path, key, body, headers = {} }: Ask): Promise<Answer> {
  const raw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
  const payload = raw ? body : JSON.stringify(body);
  const url = new URL(baseUrl);
  const sent = await new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>((resolve, reject) => {
    const request = httpRequest({
      host: url.hostname,
      port: url.port,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      path,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(payload === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(payload)) }),
        ...headers,
      },
      timeout: 20_000,
    });
    request.on('response', (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: body }),
        reject,
      );
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 20 s')));
    request.on('error', reject);
    request.end(payload);
  });
  const parsed = parse(sent.text);
  const { error } = (parsed ?? {}) as {
    error?: { code: string; message: string; details?: readonly { path: string }[] };
  };
  return {
    ...sent,
    json: parsed,
    code: error?.code,
    message: error?.message ?? '',
    fields: error?.details?.map(({ path: field }) => field) ?? [],
  };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // Not JSON: a patch, or nothing at all.
  }
}
