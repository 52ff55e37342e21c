import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '../support/sandboxed.ts';

const exec = promisify(execFile);

export interface GitHost extends AsyncDisposable {
  readonly port: number;
}

/**
 * Serves a bare copy of a repository at `/repo.git` over git's plain protocol, which any web server can speak
 * (gitprotocol-http(5), «dumb clients»).
 */
export async function startGitHost(repository: string): Promise<GitHost> {
  const folder = await temporaryFolder();
  await exec('git', ['clone', '--quiet', '--bare', repository, join(folder.path, 'repo.git')]);
  await exec('git', ['update-server-info'], { cwd: join(folder.path, 'repo.git') });
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://git');
    readFile(join(folder.path, normalize(pathname))).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await folder[Symbol.asyncDispose]();
    },
  };
}
