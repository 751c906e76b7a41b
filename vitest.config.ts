import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores on the smallest machine we test on, and several tests start processes of their own.
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 30_000,
  },
});
