// What measuring costs: CPU of a daemon's stage records at 8 ECG sensors, as a share of one core.
// Usage: npm run bench:metrics
import { LatencyBook } from '../dist/watch/latency.js';
import { Metrics } from '../dist/watch/metrics.js';

const SENSORS = 8;
/** Per sensor and second: 50 chunks (decode, detect), 10 rounds of rules, 2 beats (alarm, window, queue, answer). */
const PER_SENSOR = { decode: 50, detect: 50, alarm: 12, window: 2, inference_queue: 2, inference: 2 };
const SECONDS = 600;

function secondsOfCpu(record) {
  const before = process.cpuUsage();
  for (let second = 0; second < SECONDS; second++) {
    for (let sensor = 0; sensor < SENSORS; sensor++) {
      for (const [stage, count] of Object.entries(PER_SENSOR)) {
        for (let i = 0; i < count; i++) {
          // As every measured stage does: two readings of the clock.
          const start = performance.now();
          record(sensor, stage, performance.now() - start + 0.01 * (i % 7));
        }
      }
    }
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const metrics = new Metrics();
const book = new LatencyBook((stage, ms, subject) =>
  metrics.stages.observe(stage, ms, subject?.sensor, subject?.alertId, Date.now()),
);
const recorders = Array.from({ length: SENSORS }, (_, i) => book.of(`bed-${i}`));
const on = (sensor, stage, ms) => recorders[sensor].record(stage, ms);
const off = () => {};
secondsOfCpu(on);
secondsOfCpu(off);
const [withIt, without] = [secondsOfCpu(on), secondsOfCpu(off)];
const records = Object.values(PER_SENSOR).reduce((sum, n) => sum + n, 0) * SENSORS;
console.log(
  JSON.stringify({
    sensors: SENSORS,
    recordsPerSecond: records,
    microsecondsPerRecord: Number(((withIt / SECONDS / records) * 1e6).toFixed(3)),
    cpuShareOn: Number((withIt / SECONDS).toFixed(5)),
    cpuShareOff: Number((without / SECONDS).toFixed(5)),
  }),
);
