import { readFile } from 'node:fs/promises';
import { messageOf } from '../../base/lifecycle.ts';
import type { Engine, EngineInfo } from '../../sandbox/gvisor/engine.ts';
import { IMAGE_TAG, RECIPE_LABEL, recipeHash } from '../../sandbox/image/recipe.ts';
import { installedGvisor } from '../gvisor.ts';
import { podInitPath, podInitText } from '../runtime-entry.ts';
import { bad, good, type Check } from './check.ts';

const SETUP = (runtime: string): string => `caisson setup --runtime ${runtime}`;

export async function checkEngine(engine: Engine): Promise<{ check: Check; info: EngineInfo | undefined }> {
  try {
    const info = await engine.info();
    return { check: good('docker', `Docker ${info.version} answers`), info };
  } catch (error) {
    return {
      check: bad('docker', `the Docker engine does not answer: ${messageOf(error)}`, 'caisson setup'),
      info: undefined,
    };
  }
}

export async function checkGvisorInstalled(): Promise<Check> {
  const installed = await installedGvisor();
  if (!installed) return bad('gvisor', 'runsc is not installed', 'caisson setup');
  const found = `runsc ${installed.version} at ${installed.path}`;
  return installed.recentEnough ? good('gvisor', found) : bad('gvisor', `${found} is too old`, 'caisson setup');
}

export async function checkRuntimeEntry(info: EngineInfo | undefined, runtime: string): Promise<Check> {
  if (!info?.runtimes.includes(runtime)) {
    return bad('runtime', `the engine does not know the runtime «${runtime}»`, SETUP(runtime));
  }
  const config = await readFile(podInitPath(runtime), 'utf8').catch(() => undefined);
  if (config !== podInitText(runtime)) {
    return bad(
      'runtime',
      `${podInitPath(runtime)} is ${config === undefined ? 'missing' : 'out of date'}`,
      SETUP(runtime),
    );
  }
  return good('runtime', `the engine knows «${runtime}»`);
}

export async function checkImage(engine: Engine, info: EngineInfo | undefined): Promise<Check> {
  if (!info) return bad('image', 'unknown, since the engine does not answer', 'caisson setup');
  const labels = await engine.imageLabels(IMAGE_TAG);
  if (!labels) return bad('image', `there is no image ${IMAGE_TAG}`, 'caisson setup');
  const recipe = await recipeHash();
  if (labels[RECIPE_LABEL] === recipe) return good('image', `${IMAGE_TAG} is current (recipe ${recipe})`);
  return bad('image', `${IMAGE_TAG} was made from another recipe`, 'caisson setup');
}
