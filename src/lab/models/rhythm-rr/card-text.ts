import type { Quantization } from '../../quantize/index.js';
import type { RhythmRrTestFigures } from './evaluate.js';
import { DAEMON_EVERY } from './score.js';
import { shippedSetting, type validationOf } from './train.js';

type Validation = ReturnType<typeof validationOf>;

export interface CardFacts {
  readonly calibration: Quantization['calibration'];
  /** Of the variant that is to be the default. */
  readonly test: RhythmRrTestFigures;
  readonly testedVariant: string;
  /** `training.json`'s; null where the training was not cross-validated. */
  readonly validation: unknown;
  /** Figures measured elsewhere, as text. */
  readonly notes: string;
}

/** The author's part of CARD.md. */
export function cardText({ calibration, test, testedVariant, validation, notes }: CardFacts): string {
  const { on, off, sustainMs, clearMs } = shippedSetting();
  return `Says whether the last 60 RR intervals are atrial fibrillation. It needs no ECG, so it serves chest straps and
oximeters too. Two halves whose logits are averaged in one network: convolutions over the row of intervals, and a small
dense network over 32 features of irregularity (CoSEn, Zhou's word entropy, Petrenas's median-filtered pairs, ...).

**Where it fails.** Very frequent ectopy in a regular rhythm still looks like fibrillation (see by ectopic beats); flutter
with regular conduction is not seen, by design of its input; fibrillation shorter than a window is mostly missed; one
person of nsr2db with strongly irregular sinus rhythm by night has all the false alerts there. It does not judge pauses,
rate, or any rhythm other than these two.

## Cross-validation

${validation === null ? 'This training was not cross-validated.' : validated(validation as Validation)}

## Test (${testedVariant})

MIT-BIH AF (afdb, 25 records) and MIT-BIH Arrhythmia (mitdb, 48 records), reference beats, a window every ${DAEMON_EVERY} beats,
the label of the majority of its beats, decided at a score of 0.5. Nobody in them was trained, calibrated or tuned on.

${windowTable(test)}

False positives by ectopic beats in the window (mitdb, no fibrillation or flutter): ${bands(test.mitdb.falsePositivesByEctopy)}.

Alerts of the daemon's own rule at its shipped setting (above ${on} for ${sustainMs / 1000} s, over after ${clearMs / 1000} s below ${off}), flutter
counted as fibrillation:

${alarmTable(test)}
${notes ? `\n${notes.trim()}\n` : ''}
Calibrated with ${calibration.method} on ${calibration.items} windows: ${calibration.from}. Made wholly by \`slothd lab\`
(\`--model rhythm-rr\`). Recordings: PhysioNet (Goldberger 2000), Petrutiu 2007, Moody & Mark 1983 and 2001. In the table of
variants, flutter counts as no fibrillation on afdb's windows and as fibrillation on mitdb's.`;
}

const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const head = (cells: readonly string[]) => [row(cells), row(cells.map(() => '---'))];
const bands = (all: Validation['falsePositivesByEctopy']) =>
  all.map(({ ectopy, falsePositiveRate }) => `${ectopy} ${percent(falsePositiveRate)}`).join(', ');

function validated({ method, ltafdb, nsr2db, falsePositivesByEctopy, alarms }: Validation): string {
  const lines = [
    `${method}. Windows on ltafdb: Se ${percent(ltafdb.sensitivity)}, Sp ${percent(ltafdb.specificity)}, accuracy ${percent(ltafdb.accuracy)}; nsr2db Sp ${percent(nsr2db.specificity)}.`,
    `False positives by ectopic beats in the window: ${bands(falsePositivesByEctopy)}.`,
    '',
    "The alarm's setting was chosen in this table, on training patients alone (the same scores chose and",
    'judge it: a small optimism). An alert that is open already when an episode begins counts as found without delay.',
    '',
    ...head([
      'on, off, sustain, clear',
      'nsr2db false / 24 h',
      'subjects with any',
      'ltafdb false / 24 h',
      'episodes >= 2 min found',
      'delay median / p90 where no alert was open yet',
    ]),
    ...alarms.map(({ setting, normalFalsePer24h, normalSubjectsWithFalse, patientsFalsePer24h, episodes }) =>
      row([
        `${setting.on}, ${setting.off}, ${setting.sustainMs / 1000} s, ${setting.clearMs / 1000} s${isShipped(setting) ? ' (shipped)' : ''}`,
        normalFalsePer24h.toFixed(2),
        String(normalSubjectsWithFalse.length),
        patientsFalsePer24h.toFixed(2),
        `${percent(episodes[1]!.sensitivity)} of ${episodes[1]!.episodes}`,
        `${episodes[1]!.freshDelayMedianS.toFixed(0)} / ${episodes[1]!.freshDelayP90S.toFixed(0)} s`,
      ]),
    ),
  ];
  return lines.join('\n');
}

function isShipped(setting: Validation['alarms'][number]['setting']): boolean {
  const shipped = shippedSetting();
  return (['on', 'off', 'sustainMs', 'clearMs'] as const).every((name) => setting[name] === shipped[name]);
}

function windowTable(test: RhythmRrTestFigures): string {
  const names = { other: 'no fibrillation', af: 'fibrillation', 'left-out': 'left out' } as const;
  const rows = (['afdb', 'mitdb'] as const).flatMap((database) =>
    (['other', 'af', 'left-out'] as const).map((flutter) => {
      const one = test[database].windows[flutter];
      const cells = [one.sensitivity, one.specificity, one.positivePredictivity, one.accuracy].map(percent);
      return row([database, names[flutter], ...cells]);
    }),
  );
  return [...head(['database', 'flutter as', 'Se', 'Sp', 'PPV', 'accuracy']), ...rows].join('\n');
}

function alarmTable(test: RhythmRrTestFigures): string {
  const rows = (['afdb', 'mitdb'] as const).flatMap((database) => {
    const { falseAlerts, hoursOutside, falsePer24h, recordsWithFalse, episodes } = test[database].alarms;
    return episodes.map((e, i) =>
      row([
        database,
        i === 0 ? `${falseAlerts} in ${hoursOutside.toFixed(1)} h (${falsePer24h.toFixed(2)} / 24 h)` : '',
        i === 0 ? recordsWithFalse.join(', ') || 'none' : '',
        `>= ${e.leastMinutes} min: ${e.found} of ${e.episodes} (${percent(e.sensitivity)})`,
        `${e.delayMedianS.toFixed(0)} / ${e.delayP90S.toFixed(0)} s`,
        `${e.freshDelayMedianS.toFixed(0)} / ${e.freshDelayP90S.toFixed(0)} s of ${e.fresh}`,
      ]),
    );
  });
  const columns = [
    'database',
    'false alerts',
    'in records',
    'episodes found',
    'delay median / p90',
    'where no alert was open yet',
  ];
  return [...head(columns), ...rows].join('\n');
}
