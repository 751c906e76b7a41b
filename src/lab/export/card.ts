import type { Manifest } from '../../inference/bundle/manifest.js';

/**
 * CARD.md: the model's own page. Everything in it comes from the manifest, but for `about`, which the author writes.
 */
export function renderCard(manifest: Manifest, about: string): string {
  const metricNames = [...new Set(manifest.variants.flatMap((variant) => Object.keys(accuracyOf(variant.metrics))))];
  const head = [
    'variant',
    'bytes',
    'gzip bytes',
    'sparsity',
    'parameters',
    'MACs',
    'agreement',
    ...metricNames,
    'p50 us',
    'p99 us',
  ];
  const rows = manifest.variants.map((variant) => {
    const { metrics } = variant;
    const accuracy = accuracyOf(metrics);
    const latency = (metrics.latency ?? {}) as { p50Us?: number; p99Us?: number };
    return [
      variant.id === manifest.defaultVariant ? `**${variant.id}** (default)` : variant.id,
      String(variant.bytes),
      String(variant.gzipBytes),
      percent(variant.sparsity),
      String(variant.parameters),
      String(variant.macs),
      typeof metrics.agreement === 'number' ? percent(metrics.agreement, 2) : '',
      ...metricNames.map((name) => accuracy[name]?.toFixed(4) ?? ''),
      latency.p50Us?.toFixed(1) ?? '',
      latency.p99Us?.toFixed(1) ?? '',
    ];
  });
  const notes = manifest.variants.flatMap(({ id, metrics }) =>
    typeof metrics.notDefault === 'string' ? [`- ${id} is not the default: ${metrics.notDefault}`] : [],
  );
  const inputs = manifest.inputs.map(({ name, shape }) => `- \`${name}\`: ${shape.join(' x ')}, float32`);
  return [
    `# ${manifest.name} ${manifest.version}`,
    about.trim(),
    '## Variants',
    table(head, rows),
    'Agreement: share of evaluation items with the same class as the float model. Latency: one item, one thread, on the machine that made this bundle.',
    ...(notes.length > 0 ? [notes.join('\n')] : []),
    '## Inputs and output',
    [...inputs, `- output \`${manifest.output.name}\`: logits of ${manifest.output.labels.join(', ')}`].join('\n'),
    '## Training and calibration',
    `${list(manifest.training)}\n${list(manifest.calibration)}`,
    'The rest of it (recipe, records, cross-validation) is in `manifest.json`, and on the page that `slothd lab report` writes.',
    '## The figures again',
    reproduction(manifest),
    '',
  ].join('\n\n');
}

/** The figures the author's own evaluation gave. */
function accuracyOf(metrics: Record<string, unknown>): Record<string, number> {
  return (metrics.accuracy ?? {}) as Record<string, number>;
}

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function list(entries: Record<string, unknown>): string {
  const lines = Object.entries(entries).map(([key, value]) => `- ${key}: ${shortly(value)}`);
  return lines.length > 0 ? lines.join('\n') : '- none';
}

/** Longer values than this are for machines. */
const SHORT = 160;

/** A value as a person reads it; what is too long for that stands in the manifest alone. */
function shortly(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (typeof value === 'string' || text === undefined || text.length <= SHORT) return text ?? '';
  return Array.isArray(value) ? `${value.length} entries, in manifest.json` : 'in manifest.json';
}

/** One command for the figures of the table, one for the files themselves. */
function reproduction({ name, task, training }: Manifest): string {
  const known = SLOTHD_MODELS.has(task) && name === task;
  // Made with somebody's own split: the bundle lies where they put it, and so do the recordings.
  const isOwn = training.split !== undefined;
  const where = isOwn ? 'FOLDER-OF-THE-BUNDLE --data FOLDER-OF-THE-RECORDINGS' : `models/${name}`;
  const bundle = isOwn ? 'FOLDER-OF-THE-BUNDLE' : name;
  const figures = known
    ? `\`slothd lab evaluate ${where} --model ${name}\` runs every variant over the test set again, prints this table anew and says where it differs; times are those of your machine. `
    : '';
  return `${figures}\`slothd model verify ${bundle}\` checks hashes and golden vectors as the daemon does at each start; \`slothd model bench ${bundle}\` times the variants here.`;
}

/** Models whose test set `slothd lab` knows. */
const SLOTHD_MODELS = new Set(['beat-ecg', 'rhythm-rr']);
