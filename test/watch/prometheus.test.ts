import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeScenario } from '../../src/simulator/scenario.js';
import { Metrics } from '../../src/watch/metrics.js';
import { startAedes } from '../delivery/support/brokers.js';
import { startLive } from '../e2e/support/live.js';
import { afterwards, freePort, pause, temporaryFolder } from '../e2e/support/world.js';

const CONFIG = fileURLToPath(new URL('../../config/', import.meta.url));
const RULES = join(CONFIG, 'prometheus');
const has = existsSync('/usr/bin/promtool') && existsSync('/usr/bin/prometheus');
if (!has) console.warn('prometheus is not here (Debian package prometheus): tests of its rules and panels are skipped');

const promtool = (...args: string[]) => execFileSync('/usr/bin/promtool', args, { cwd: RULES, encoding: 'utf8' });

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const panels = (file: string): Panel[] =>
  (JSON.parse(readFileSync(join(CONFIG, 'grafana', file), 'utf8')) as { panels: Panel[] }).panels.filter(
    ({ type }) => type !== 'row',
  );

/** Every slothd metric a text speaks of, without the suffixes of a histogram. */
const namesIn = (text: string) =>
  [...text.matchAll(/slothd_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));

describe('config for Prometheus and Grafana', () => {
  it('speaks of no metric that slothd does not have', async () => {
    const known = new Set(namesIn((await new Metrics().text()).replace(/^[^#].*$/gm, '')));
    for (const text of [
      readFileSync(join(RULES, 'slothd.rules.yaml'), 'utf8'),
      ...['slothd-device.json', 'slothd-fleet.json'].flatMap((file) =>
        panels(file).flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []),
      ),
    ]) {
      for (const name of namesIn(text)) expect(known, name).toContain(name);
    }
  });
});

/** config/opentelemetry/collector.yaml: OTLP without an SDK in the daemon. */
const collector = parse(readFileSync(join(CONFIG, 'opentelemetry/collector.yaml'), 'utf8')) as {
  receivers: { prometheus: { config: object } };
  service: { pipelines: Record<string, Record<'receivers' | 'processors' | 'exporters', string[]>> };
} & Record<string, Record<string, unknown>>;

describe('config for the OpenTelemetry Collector', () => {
  it('uses what it declares, and declares nothing it does not use', () => {
    for (const part of ['receivers', 'processors', 'exporters'] as const) {
      const used = Object.values(collector.service.pipelines).flatMap((pipeline) => pipeline[part]);
      expect([...used].sort(), part).toEqual(Object.keys(collector[part]!).sort());
    }
  });
});

describe.skipIf(!has)('Prometheus itself', () => {
  it("accepts the scrape section of the collector's config", () => {
    const file = join(temporaryFolder(), 'prometheus.yml');
    writeFileSync(file, stringify(collector.receivers.prometheus.config));
    expect(promtool('check', 'config', file)).toContain('SUCCESS');
  });

  it('accepts the rules and the example, and the rules pass their tests', () => {
    expect(promtool('check', 'rules', 'slothd.rules.yaml')).toContain('SUCCESS');
    expect(promtool('check', 'config', '--syntax-only', 'prometheus.example.yaml')).toContain('SUCCESS');
    expect(promtool('test', 'rules', 'slothd.test.yaml')).toContain('SUCCESS');
  });

  it('scrapes a running daemon, and the queries of the panels return data', async () => {
    const fast = makeScenario({ episodes: [{ rhythm: 'sinus-tachycardia', bpm: 175, seconds: 600 }] });
    const broker = await startAedes();
    afterwards(() => broker.close());
    const { url } = await startLive([{ name: 'chest', scenario: fast }], { mqtt: { url: broker.url } });
    const { host } = new URL(url);
    const dir = temporaryFolder();
    const port = await freePort();
    writeFileSync(
      join(dir, 'prometheus.yaml'),
      `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: ['${join(RULES, 'slothd.rules.yaml')}']
scrape_configs: [{ job_name: slothd, static_configs: [{ targets: ['${host}'] }] }]
`,
    );
    const child = spawn(
      '/usr/bin/prometheus',
      [
        `--config.file=${join(dir, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--enable-feature=exemplar-storage',
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
    const gone = new Promise((resolve) => child.once('exit', resolve));
    afterwards(async () => {
      child.kill('SIGKILL');
      await gone;
    });
    const query = async (expr: string): Promise<unknown[]> => {
      const filled = expr.replaceAll('$instance', host).replaceAll('$__rate_interval', '5s');
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(filled)}`).catch(
        () => null,
      );
      if (!response) return [];
      const answer = (await response.json()) as { status: string; error?: string; data?: { result: unknown[] } };
      expect(answer.status, `${filled}: ${answer.error}`).toBe('success');
      return answer.data!.result;
    };
    // Until an alert has been raised and scraped more than once.
    for (let waited = 0; waited < 40 && (await query('slothd_alerts_total offset 2s')).length === 0; waited++) {
      await pause(500);
    }
    const silent: string[] = [];
    for (const file of ['slothd-device.json', 'slothd-fleet.json']) {
      for (const { title, targets } of panels(file)) {
        for (const { expr } of targets ?? []) {
          if ((await query(expr)).length === 0) silent.push(`${title}: ${expr}`);
        }
      }
    }
    // A link that holds is never lost, a good wire drops nothing.
    const excused = /link_reopens|frames_dropped/;
    expect(silent.filter((line) => !excused.test(line))).toEqual([]);
    expect((await query('slothd:stage_duration_seconds:p99_5m{stage="inference"}')).length).toBe(1);
  }, 90_000);
});
