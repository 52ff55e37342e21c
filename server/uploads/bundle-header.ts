import type { Readable } from 'node:stream';
import { CaissonError } from '../../shared/protocol/errors.ts';

/** The first line of a bundle file: gitformat-bundle(5), versions 2 and 3. */
const SIGNATURES = ['# v2 git bundle\n', '# v3 git bundle\n'].map((line) => Buffer.from(line));
const LENGTH = 16;

/**
 * Passes a stream through once its first bytes show that it is a git bundle. The objects inside are checked by git,
 * in the sandbox: the server itself never parses them.
 * @throws {CaissonError} `invalid_request` for anything else, an empty body included
 */
export async function* checkBundleHeader(body: Readable): AsyncGenerator<Buffer> {
  let start = Buffer.alloc(0);
  let checked = false;
  // A request that is refused must stay open, or its sender would never read why.
  for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (checked) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.length < LENGTH) continue;
    if (!SIGNATURES.some((signature) => start.subarray(0, LENGTH).equals(signature))) throw notABundle();
    checked = true;
    yield start;
  }
  if (!checked) throw notABundle();
}

function notABundle(): CaissonError {
  return new CaissonError(
    'invalid_request',
    'The upload is not a git bundle. Make one with `git bundle create FILE HEAD`, or use `caisson run`, which does it for you.',
  );
}
