import type { Manifest } from '../../inference/bundle/manifest.js';
import { precisionRecallOf, reliabilityOf, rocOf } from '../evaluation/curves.js';
import type { PhaseHistory } from '../train/history.js';
import { barPlot, escapeText, linePlot, matrixPlot } from './svg.js';

/** Every item of the test set with what the default variant says of it: what the plots are made of. */
export interface Evaluation {
  /** Whom it was tested on, such as `MIT-BIH DS2, reference beats`. */
  readonly on: string;
  /** The model's outputs, and the classes of the truth (which may be more). */
  readonly labels: readonly string[];
  readonly truthLabels: readonly string[];
  readonly truth: Uint8Array;
  /** Items x labels, row-major, each row summing to 1. */
  readonly probabilities: Float32Array;
  /** Which items are whose: `from` up to before `to`. */
  readonly records: readonly { readonly name: string; readonly from: number; readonly to: number }[];
  /** Tables of the field, such as those of EC57. */
  readonly tables: readonly Table[];
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  readonly note?: string;
}

export interface ReportOptions {
  readonly manifest: Manifest;
  readonly histories: readonly { readonly name: string; readonly phases: readonly PhaseHistory[] }[];
  readonly evaluation: Evaluation | null;
  /** What to type to get this page again. */
  readonly command: string;
}

/** One self-contained HTML page about a model bundle: no script, no file beside it. */
export function renderReport({ manifest, histories, evaluation, command }: ReportOptions): string {
  const sections = [
    variants(manifest),
    ...(evaluation ? [tested(evaluation)] : []),
    ...histories.filter(({ phases }) => phases.length > 0).map(curves),
    `<h2>How it was made</h2>${details('training', manifest.training)}${details('calibration', manifest.calibration)}`,
    `<h2>Again</h2><p>This page: <code>${escapeText(command)}</code>. Its figures in a terminal: <code>slothd lab evaluate models/${escapeText(manifest.name)} --model ${escapeText(manifest.name)}</code>. The files' hashes and golden vectors: <code>slothd model verify ${escapeText(manifest.name)}</code>.</p>`,
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(manifest.name)} ${escapeText(manifest.version)}</title><style>${STYLE}</style></head>
<body><h1>${escapeText(manifest.name)} ${escapeText(manifest.version)}</h1>
<p>Task <code>${escapeText(manifest.task)}</code>; inputs ${manifest.inputs.map(({ name, shape }) => `<code>${escapeText(name)}</code> ${shape.join(' x ')}`).join(', ')}; outputs ${manifest.output.labels.map(escapeText).join(', ')}; default variant <b>${escapeText(manifest.defaultVariant)}</b>.</p>
${sections.join('\n')}
</body></html>
`;
}

const STYLE = `:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;margin:.8em 0;font-size:13px;display:block;overflow-x:auto}td,th{padding:.25em .6em;border-bottom:1px solid #8886;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}.plots{display:flex;flex-wrap:wrap;gap:12px}svg{width:420px;max-width:100%;border:1px solid #8884;border-radius:6px}
svg .h{font:600 13px system-ui,sans-serif;fill:currentColor}svg .s{font:11px system-ui,sans-serif;fill:currentColor}svg .t{font:9px system-ui,sans-serif;fill:currentColor}svg .g{stroke:#8883}svg .c{stroke:#8886}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:12px}code{font-size:.92em}`;

function variants({ variants: all, defaultVariant }: Manifest): string {
  const accuracy = (variant: (typeof all)[number]) => (variant.metrics.accuracy ?? {}) as Record<string, number>;
  const latency = (variant: (typeof all)[number]) =>
    (variant.metrics.latency ?? {}) as { p50Us?: number; p99Us?: number; byFp32?: number };
  const metrics = [...new Set(all.flatMap((variant) => Object.keys(accuracy(variant))))];
  const table: Table = {
    title: '',
    head: [
      ...['variant', 'bytes', 'gzip bytes', 'sparsity', 'parameters', 'MACs', 'agreement', ...metrics],
      ...['p50 us', 'p99 us', 'time by fp32'],
    ],
    rows: all.map((variant) => [
      variant.id === defaultVariant ? `${variant.id} (default)` : variant.id,
      ...[variant.bytes, variant.gzipBytes].map(String),
      `${(variant.sparsity * 100).toFixed(1)} %`,
      ...[variant.parameters, variant.macs].map(String),
      typeof variant.metrics.agreement === 'number' ? `${(variant.metrics.agreement * 100).toFixed(2)} %` : '',
      ...metrics.map((name) => accuracy(variant)[name]?.toFixed(4) ?? ''),
      latency(variant).p50Us?.toFixed(1) ?? '',
      latency(variant).p99Us?.toFixed(1) ?? '',
      latency(variant).byFp32?.toFixed(2) ?? '',
    ]),
    note: 'Agreement: share of test items with the class of the float model. Latency: one item, one thread, on the machine that made the bundle.',
  };
  const plots = [
    barPlot(
      'Size, gzip',
      all.map(({ id, gzipBytes }) => ({ name: id, value: gzipBytes })),
      'bytes',
    ),
    barPlot(
      'Latency p50',
      all.map((variant) => ({ name: variant.id, value: latency(variant).p50Us ?? 0 })),
      'us',
    ),
  ];
  return `<h2>Variants</h2>${tableHtml(table)}<div class="plots">${plots.join('')}</div>`;
}

function tested(evaluation: Evaluation): string {
  const { on, labels, truthLabels, truth, probabilities, records, tables } = evaluation;
  const count = truth.length;
  const said = new Uint8Array(count);
  const sure = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const row = probabilities.subarray(i * labels.length, (i + 1) * labels.length);
    for (let c = 1; c < labels.length; c++) if (row[c]! > row[said[i]!]!) said[i] = c;
    sure[i] = row[said[i]!]!;
  }
  const right = (i: number) => truthLabels[truth[i]!] === labels[said[i]!];
  const matrix = truthLabels.map(() => labels.map(() => 0));
  for (let i = 0; i < count; i++) matrix[truth[i]!]![said[i]!]!++;
  const ofClass = (c: number) => ({
    scores: Float32Array.from({ length: count }, (_, i) => probabilities[i * labels.length + c]!),
    positive: Uint8Array.from(truth, (t) => (truthLabels[t] === labels[c] ? 1 : 0)),
  });
  const roc = labels.map((name, c) => ({ name, ...rocOf(ofClass(c).scores, ofClass(c).positive) }));
  const pr = labels.map((name, c) => ({ name, ...precisionRecallOf(ofClass(c).scores, ofClass(c).positive) }));
  const { bins, ece } = reliabilityOf(
    sure,
    Array.from({ length: count }, (_, i) => right(i)),
  );
  const named = (curves: typeof roc) =>
    curves.map(({ name, points, area }) => ({ name: `${name} (${area.toFixed(4)})`, points }));
  const unit = { xRange: [0, 1], yRange: [0, 1] } as const;
  const diagonal = {
    name: '',
    guide: true,
    points: [
      [0, 0],
      [1, 1],
    ] as const,
  };
  const plots = [
    matrixPlot('Confusion', truthLabels, labels, matrix),
    linePlot([...named(roc), diagonal], {
      title: 'ROC, one class against the others (area)',
      x: 'false positive rate',
      legend: 'bottom',
      y: 'sensitivity',
      ...unit,
    }),
    linePlot(named(pr), {
      title: 'Precision and recall (average precision)',
      x: 'sensitivity',
      y: 'positive predictivity',
      legend: 'bottom',
      ...unit,
    }),
    linePlot([{ name: 'said and right', points: bins.map((bin) => [bin.said, bin.right] as const) }, diagonal], {
      title: `Reliability (expected calibration error ${(ece * 100).toFixed(2)} %)`,
      x: 'probability said',
      y: 'share right',
      legend: 'bottom',
      marks: true,
      ...unit,
    }),
  ];
  const perRecord: Table = {
    title: 'By record',
    head: [
      'record',
      'items',
      'right',
      ...truthLabels.map((name) => `truly ${name}`),
      ...labels.map((name) => `said ${name}`),
    ],
    rows: records.map(({ name, from, to }) => {
      const items = Array.from({ length: to - from }, (_, i) => from + i);
      return [
        ...[
          name,
          String(items.length),
          `${((100 * items.filter(right).length) / Math.max(1, items.length)).toFixed(2)} %`,
        ],
        ...truthLabels.map((_, t) => String(items.filter((i) => truth[i] === t).length)),
        ...labels.map((_, c) => String(items.filter((i) => said[i] === c).length)),
      ];
    }),
  };
  return `<h2>Tested on ${escapeText(on)}</h2><p>${count} items, the default variant in the runtime that the daemon uses.</p>${tables.map(tableHtml).join('')}<div class="plots">${plots.join('')}</div>${tableHtml(perRecord)}`;
}

function curves({ name, phases }: ReportOptions['histories'][number]): string {
  const points = (phase: PhaseHistory, of: (epoch: PhaseHistory['epochs'][number]) => number | undefined) =>
    phase.epochs.flatMap((epoch) => {
      const value = of(epoch);
      return value === undefined ? [] : [[epoch.epoch, value] as const];
    });
  const lines = (of: Parameters<typeof points>[1]) =>
    phases.map((phase) => ({ name: phase.phase, points: points(phase, of) }));
  const plots = [
    linePlot(
      lines(({ loss }) => loss),
      { title: `Training loss, ${name}`, x: 'epoch', y: 'cross-entropy' },
    ),
    ...(phases.some(({ epochs }) => epochs.some(({ validation }) => validation))
      ? [
          linePlot(
            lines(({ validation }) => validation?.loss),
            { title: `Validation loss, ${name}`, x: 'epoch', y: 'cross-entropy' },
          ),
          linePlot(
            lines(({ validation }) => validation?.accuracy),
            { title: `Validation accuracy, ${name}`, x: 'epoch', y: 'share right' },
          ),
        ]
      : []),
  ];
  return `<h2>Training: ${escapeText(name)}</h2><div class="plots">${plots.join('')}</div>`;
}

function tableHtml({ title, head, rows, note }: Table): string {
  const cells = (tag: string, row: readonly string[]) =>
    `<tr>${row.map((cell) => `<${tag}>${escapeText(cell)}</${tag}>`).join('')}</tr>`;
  return `${title ? `<h3>${escapeText(title)}</h3>` : ''}<table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table>${note ? `<p>${escapeText(note)}</p>` : ''}`;
}

function details(name: string, value: unknown): string {
  return `<details><summary>${name}</summary><pre>${escapeText(JSON.stringify(value, null, 1))}</pre></details>`;
}
