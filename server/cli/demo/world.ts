import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Cleanup } from '../../base/lifecycle.ts';
import { packageRoot } from '../../base/package-root.ts';
import { snapshot } from '../git/snapshot.ts';

/** What the demo needs around its server: a project, a place for data, and a host that may be reached. */
export interface DemoWorld {
  readonly dataDir: string;
  /** `name:port`, as an environment lists it. */
  readonly allowedHost: string;
  readonly allowedUrl: string;
  /** The operator's exception: the allowed host is on this machine, and nothing else here can be reached. */
  readonly exception: string;
  bundle(): Promise<Uint8Array>;
}

const HOST = 'releases.demo.internal';
const NOTES = '# Release notes\nMedians are now computed on numbers.\n';

export async function openDemoWorld(cleanup: Cleanup): Promise<DemoWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'caisson-demo-'));
  cleanup.add('temporary folder', () => rm(folder, { recursive: true, force: true }));
  const port = await startUpstream(cleanup);
  const project = join(folder, 'project');
  await copyProject(project);
  return {
    dataDir: join(folder, 'data'),
    allowedHost: `${HOST}:${port}`,
    allowedUrl: `http://${HOST}:${port}/notes`,
    exception: `${HOST}:${port}=127.0.0.1/32`,
    bundle: async () => {
      await using made = await snapshot(project);
      return readFile(made.path);
    },
  };
}

async function startUpstream(cleanup: Cleanup): Promise<number> {
  const server = createServer((_request, response) => response.end(NOTES));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.add('allowed host', () => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** The project that the repository ships, as a git repository of its own with one commit. */
async function copyProject(target: string): Promise<void> {
  await cp(join(packageRoot(), 'server/cli/demo/project'), target, { recursive: true });
  const git = (...args: string[]) =>
    promisify(execFile)(
      'git',
      ['-c', 'user.name=Demo', '-c', 'user.email=demo@caisson.invalid', '-c', 'init.defaultBranch=main', ...args],
      { cwd: target },
    );
  await git('init', '--quiet');
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'Readings, with a bug');
}
