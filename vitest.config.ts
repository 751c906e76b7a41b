import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Two cores on the smallest machine we test on, and several tests start processes of their own.
    maxWorkers: 2,
    testTimeout: 90_000,
    // A second is too little for a process to start while everything else is tested beside it.
    expect: { poll: { timeout: 10_000 } },
    hookTimeout: 60_000,
    // Some tests watch real time, memory or other processes; on a machine that serves others too one stall may be forgiven.
    retry: process.env.CI ? 1 : 0,
  },
});
