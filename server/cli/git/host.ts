import { copyFile, mkdir, mkdtemp, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join, parse } from 'node:path';
import { createFiles, type SourceHost } from '../../../shared/source/host.ts';
import { spawnGit } from './git.ts';

/** What shared/source needs of the machine that the command runs on. */
export const sourceHost: SourceHost = {
  environment: process.env,
  runGit: spawnGit,
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
