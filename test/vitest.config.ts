import { defineConfig } from 'vitest/config';

const root = new URL('..', import.meta.url).pathname;

// Two projects: `unit` needs nothing but Node; `flow` needs the engine, gVisor and the image that `caisson setup` makes.
// Flow files share one Docker engine and two cores, so they run one after the other.
export default defineConfig({
  root,
  test: {
    projects: [
      {
        root,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'], testTimeout: 20_000 },
      },
      {
        root,
        test: {
          name: 'flow',
          include: ['test/flow/**/*.test.ts'],
          globalSetup: ['test/support/flow-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
