// Latency: the table of the last minute, the chart of the last hour, the spread of inference times. Charts by uPlot.
import { byId, colour, duration, element } from './elements.js';

const uPlot = window.uPlot;
let view = { points: [], budgetsMs: {}, deadlinesMs: {}, intervalSeconds: 15, inference: { edgesMs: [], counts: [] } };
let hour = null;
let spread = null;

const HEIGHT = 220;
const axis = (more) => ({
  stroke: colour('dim'),
  grid: { stroke: colour('grid'), width: 1 },
  ticks: { stroke: colour('grid'), width: 1 },
  ...more,
});
/** Ticks of a logarithmic axis: whole numbers, and nothing where there is no room. */
const ticks = (_, list) =>
  list.map((ms) =>
    ms === null ? '' : ms < 1 ? `${Math.round(ms * 1000)} µs` : ms < 1000 ? `${ms} ms` : `${ms / 1000} s`,
  );
/** The power of ten below or above. */
const decade = (ms, round) => 10 ** round(Math.log10(Math.max(ms, 1e-3)));
/** In the order of the way from a byte to an alert. */
const ORDER = [
  'decode',
  'detect',
  'window',
  'inference_queue',
  'inference',
  'alarm',
  'outbox_write',
  'publish_ack',
  'wire_to_alert',
];
const inOrder = (stages) => stages.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
const width = (node) => Math.max(200, node.clientWidth);

export function showLatency(stages) {
  const rows = inOrder(Object.keys(stages)).map((stage) => {
    const figures = stages[stage];
    const row = element('tr');
    const over = view.budgetsMs[stage] !== undefined && figures.p99Ms > view.budgetsMs[stage];
    const head = element('th', '', stage.replaceAll('_', ' '));
    head.scope = 'row';
    row.append(head, element('td', '', String(figures.count)));
    for (const key of ['p50Ms', 'p99Ms', 'p999Ms', 'maxMs']) {
      row.append(element('td', key === 'p99Ms' && over ? 'over' : '', duration(figures[key])));
    }
    return row;
  });
  byId('latency').replaceChildren(...rows);
}

/** The whole hour, at the start of the page. */
export function startLatency(all) {
  view = all;
  byId('stage').addEventListener('change', drawHour);
  for (const node of [byId('hour'), byId('spread')]) {
    new ResizeObserver(() => {
      hour?.setSize({ width: width(byId('hour')), height: HEIGHT });
      spread?.setSize({ width: width(byId('spread')), height: HEIGHT });
    }).observe(node);
  }
  offerStages();
  repaintLatency();
}

/** One more interval has passed. */
export function addLatency({ point, inference }) {
  view.points.push(point);
  const kept = 3600 / view.intervalSeconds;
  while (view.points.length > kept) view.points.shift();
  view.inference = inference;
  offerStages();
  drawHour();
  drawSpread();
}

/** Light became dark: uPlot takes colours only when a chart is made. */
export function repaintLatency() {
  hour?.destroy();
  spread?.destroy();
  hour = null;
  spread = null;
  drawHour();
  drawSpread();
}

function offerStages() {
  const select = byId('stage');
  const stages = new Set(view.points.flatMap(({ stages }) => Object.keys(stages)));
  stages.add('inference');
  const had = new Set([...select.options].map(({ value }) => value));
  for (const stage of inOrder([...stages])) {
    if (had.has(stage)) continue;
    const option = element('option', '', stage.replaceAll('_', ' '));
    option.value = stage;
    option.selected = stage === 'inference';
    select.append(option);
  }
}

function drawHour() {
  const stage = byId('stage').value;
  const budget = view.budgetsMs[stage];
  const figures = (at) => view.points.map(({ stages }) => stages[stage]?.[at] ?? null);
  const times = view.points.map(({ at }) => Date.parse(at) / 1000);
  const data = [times, figures(1), figures(2), figures(3), times.map(() => budget ?? null)];
  const node = byId('hour');
  if (hour) {
    hour.setSeries(4, { show: budget !== undefined });
    hour.setData(data);
    return;
  }
  const value = (_, ms) => duration(ms);
  const percentile = (label, name) => ({
    label,
    stroke: colour(name),
    width: 2,
    value,
    points: { size: 5 },
    spanGaps: true,
  });
  hour = new uPlot(
    {
      width: width(node),
      height: HEIGHT,
      scales: {
        y: {
          distr: 3,
          range: (_, low, high) => [decade(low ?? 0.1, Math.floor), decade((high ?? 100) * 1.05, Math.ceil)],
        },
        x: {
          range: () => {
            const now = Date.now() / 1000;
            return [Math.min(times[0] ?? now, now - 120), now];
          },
        },
      },
      axes: [axis({}), axis({ size: 72, values: ticks })],
      series: [
        {},
        percentile('p50', 'line-a'),
        percentile('p99', 'line-b'),
        percentile('p99.9', 'line-c'),
        {
          label: 'budget',
          stroke: colour('bad'),
          dash: [6, 4],
          width: 1.5,
          value,
          show: budget !== undefined,
          points: { show: false },
        },
      ],
    },
    data,
    node,
  );
}

function drawSpread() {
  const { edgesMs, counts } = view.inference;
  const node = byId('spread');
  const data = [edgesMs.slice(0, -1), counts];
  if (spread) {
    spread.setData(data);
    return;
  }
  spread = new uPlot(
    {
      width: width(node),
      height: HEIGHT,
      legend: { show: false },
      scales: {
        x: { time: false, distr: 3, range: (_, low, high) => [(low ?? 0.1) / 1.3, Math.max((high ?? 10) * 1.6, 10)] },
        y: { range: (_, __, high) => [0, (high || 1) * 1.1] },
      },
      axes: [axis({ values: ticks, space: 60 }), axis({ size: 50 })],
      series: [
        {},
        {
          label: 'beats',
          stroke: colour('line-a'),
          fill: colour('fill'),
          paths: uPlot.paths.bars({ size: [0.9, 60], align: 1 }),
          points: { show: false },
        },
      ],
      hooks: { draw: [budgetLine] },
    },
    data,
    node,
  );
}

/** The budget across the histogram, where it is in sight. */
function budgetLine(chart) {
  const budget = view.budgetsMs.inference;
  if (budget === undefined) return;
  const x = chart.valToPos(budget, 'x', true);
  const { left, top, width: across, height } = chart.bbox;
  if (x < left || x > left + across) return;
  const pen = chart.ctx;
  pen.save();
  pen.strokeStyle = colour('bad');
  pen.setLineDash([6, 4]);
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x, top + height);
  pen.stroke();
  pen.restore();
}
