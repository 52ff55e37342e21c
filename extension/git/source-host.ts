import { copyFile, mkdir, mkdtemp, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, parse } from 'node:path';
import { createFiles, type SourceHost } from '../../shared/source/host.ts';
import { spawnGit } from './run-git.ts';

/** Adding a large tree on a slow disk takes its time. */
const TIMEOUT_MS = 10 * 60_000;

/** What shared/source needs of the machine that the extension host runs on. */
export function createSourceHost(gitProgram: string): SourceHost {
  return {
    environment: process.env,
    runGit: async (args, options) => {
      const output = await spawnGit(gitProgram, args, { ...options, timeoutMs: TIMEOUT_MS });
      return { ...output, stdout: output.stdout.toString('utf8') };
    },
    files: createFiles({
      copyFile,
      mkdir,
      mkdtemp,
      realpath,
      rm,
      stat,
      utimes,
      writeFile,
      join,
      parse,
      homedir,
      tmpdir,
    }),
  };
}
