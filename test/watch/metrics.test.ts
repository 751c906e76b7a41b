import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Metrics } from '../../src/watch/metrics.js';

const PROMTOOL = '/usr/bin/promtool';
const hasPromtool = existsSync(PROMTOOL);
if (!hasPromtool)
  console.warn('promtool is not here (Debian package prometheus): its checks of the metrics are skipped');

function filled(): Metrics {
  const metrics = new Metrics();
  metrics.stages.observe('inference', 2);
  metrics.stages.observe('decode', 0.004, 'chest');
  metrics.stages.observe('wire_to_alert', 7, 'chest "left"\\', 'alert-7', 1_700_000_000_123);
  metrics.frames.inc({ sensor: 'chest' }, 3);
  metrics.temperature.set(48.5);
  return metrics;
}

describe('Metrics', () => {
  it('names everything slothd_, with cumulative buckets in seconds', async () => {
    const text = await filled().text();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]!);
    expect(names.length).toBeGreaterThan(35);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^slothd_/);
    const bucket = (le: string) => `slothd_stage_duration_seconds_bucket{le="${le}",stage="inference",sensor=""}`;
    expect(text).toContain(`${bucket('0.001')} 0\n`);
    expect(text).toContain(`${bucket('0.0025')} 1\n`);
    expect(text).toContain(`${bucket('+Inf')} 1\n`);
    expect(text).toContain('slothd_stage_duration_seconds_sum{stage="inference",sensor=""} 0.002\n');
    expect(text).not.toContain('alert_id');
  });

  it('puts a duration on a bucket edge into that bucket, and what is above all into +Inf', async () => {
    const metrics = new Metrics();
    for (const durationMs of [0.01, 10_000, 10_001]) metrics.stages.observe('alarm', durationMs);
    const text = await metrics.text();
    const count = (le: string) =>
      Number(new RegExp(`_bucket\\{le="${le.replace(/[+.]/g, '\\$&')}",stage="alarm".*\\} (\\d+)`).exec(text)?.[1]);
    expect([count('0.00001'), count('10'), count('+Inf')]).toEqual([1, 2, 3]);
  });

  it('raises a counter to a total kept elsewhere, never lowers it', async () => {
    const metrics = new Metrics();
    const seen = new Map<string, number>();
    for (const total of [3, 3, 5, 2]) Metrics.raiseTo(metrics.respawns, seen, 'respawns', total);
    expect(await metrics.text()).toContain('slothd_inference_respawns_total 5');
  });

  it('gives alert ids as exemplars to a reader of OpenMetrics', async () => {
    const metrics = filled();
    const text = await metrics.text(true);
    expect(text).toContain(
      'slothd_stage_duration_seconds_bucket{le="0.01",stage="wire_to_alert",sensor="chest \\"left\\"\\\\"} 1 # {alert_id="alert-7"} 0.007 1700000000.123\n',
    );
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text).not.toContain('\n\n');
    expect(text).toContain('# TYPE slothd_frames counter\n');
    expect(text).toContain('slothd_frames_total{sensor="chest"} 3\n');
    // And the next reader of the plain text sees the plain names.
    expect(await metrics.text()).toContain('# TYPE slothd_frames_total counter\n');
  });

  it.skipIf(!hasPromtool)('passes promtool check metrics', async () => {
    const out = execFileSync(PROMTOOL, ['check', 'metrics'], { input: await filled().text(), encoding: 'utf8' });
    expect(out).toBe('');
  });
});
