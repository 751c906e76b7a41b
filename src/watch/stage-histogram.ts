import type { Stage } from '../domain/stage.js';

/** 10 us to 10 s, about three buckets a decade. */
export const STAGE_BUCKETS_SECONDS: readonly number[] = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const NAME = 'slothd_stage_duration_seconds';
const HELP = 'How long each stage took; sensor is empty for work that all sensors share.';

interface Exemplar {
  readonly alertId: string;
  readonly seconds: number;
  readonly atSeconds: number;
}

/** One stage of one sensor. */
class Series {
  /** Counts per bucket, the last one for what is above all of them. */
  readonly counts = new Float64Array(STAGE_BUCKETS_SECONDS.length + 1);
  readonly exemplars: (Exemplar | undefined)[] = [];
  sum = 0;

  constructor(
    readonly stage: Stage,
    readonly sensor: string,
  ) {}

  observe(seconds: number): number {
    let low = 0;
    let high = STAGE_BUCKETS_SECONDS.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (seconds <= STAGE_BUCKETS_SECONDS[middle]!) high = middle;
      else low = middle + 1;
    }
    this.counts[low]! += 1;
    this.sum += seconds;
    return low;
  }
}

/**
 * The histogram of stage durations as Prometheus wants it. Our own instead of prom-client's because it is written to on
 * every chunk of every sensor (theirs builds a label key each time), and theirs renames metrics when OpenMetrics is asked.
 */
export class StageHistogram {
  private readonly bySensor = new Map<string, Map<Stage, Series>>();

  /**
   * @param alertId kept as the bucket's exemplar, with `wallMs` as its time
   */
  observe(stage: Stage, durationMs: number, sensor = '', alertId?: string, wallMs = 0): void {
    let stages = this.bySensor.get(sensor);
    if (!stages) {
      stages = new Map();
      this.bySensor.set(sensor, stages);
    }
    let series = stages.get(stage);
    if (!series) {
      series = new Series(stage, sensor);
      stages.set(stage, series);
    }
    const seconds = durationMs / 1000;
    const bucket = series.observe(seconds);
    if (alertId !== undefined) series.exemplars[bucket] = { alertId, seconds, atSeconds: wallMs / 1000 };
  }

  /** As text; exemplars only where the reader understands them (OpenMetrics). */
  render(withExemplars: boolean): string {
    const lines = [`# HELP ${NAME} ${HELP}`, `# TYPE ${NAME} histogram`];
    for (const stages of this.bySensor.values()) {
      for (const series of stages.values()) renderSeries(series, withExemplars, lines);
    }
    return `${lines.join('\n')}\n`;
  }
}

function renderSeries(series: Series, withExemplars: boolean, lines: string[]): void {
  const labels = `stage="${series.stage}",sensor="${escapeLabel(series.sensor)}"`;
  let total = 0;
  for (const [at, count] of series.counts.entries()) {
    total += count;
    const edge = STAGE_BUCKETS_SECONDS[at];
    const exemplar = withExemplars ? series.exemplars[at] : undefined;
    const tail = exemplar
      ? ` # {alert_id="${escapeLabel(exemplar.alertId)}"} ${exemplar.seconds} ${exemplar.atSeconds.toFixed(3)}`
      : '';
    lines.push(`${NAME}_bucket{le="${edge === undefined ? '+Inf' : edge}",${labels}} ${total}${tail}`);
  }
  lines.push(`${NAME}_sum{${labels}} ${series.sum}`, `${NAME}_count{${labels}} ${total}`);
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}
