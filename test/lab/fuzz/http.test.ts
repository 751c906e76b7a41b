import { expect, it } from 'vitest';
import { fuzzHttp } from '../../../src/lab/fuzz/http.js';

it('damaged requests and raw bytes get an answer or an end, never an internal error, and sound requests still pass', async () => {
  const report = await fuzzHttp(800, 5);
  expect(report.faults).toEqual([]);
  expect(report.tried).toBe(800);
  expect(report.accepted).toBeGreaterThan(20);
  expect(report.refused).toBeGreaterThan(200);
});
