import type { Quantization } from '../../quantize/index.js';
import type { ShockableAlarmFigures } from './alarm-level.js';
import type { ShockableTestFigures } from './evaluate.js';
import type { ShockableWindowFigures } from './figures.js';
import { SHOCKABLE_RECIPE } from './recipe.js';
import { shippedSetting, type validationOf } from './train.js';

type Validation = ReturnType<typeof validationOf>;

export interface CardFacts {
  readonly calibration: Quantization['calibration'];
  /** Of the variant that is to be the default. */
  readonly test: ShockableTestFigures;
  readonly testedVariant: string;
  /** `training.json`'s; null where the training was not cross-validated. */
  readonly validation: unknown;
  /** Figures measured elsewhere, as text. */
  readonly notes: string;
}

/** The author's part of CARD.md. */
export function cardText({ calibration, test, testedVariant, validation, notes }: CardFacts): string {
  const { on, verdicts } = shippedSetting();
  const { members } = SHOCKABLE_RECIPE;
  return `Says whether 4 s of one ECG lead show ventricular fibrillation or flutter, a fast ventricular tachycardia (spectral
peak at 2.4 Hz or above, about 144 a minute), or anything else. Two halves whose logits are averaged in one graph:
convolutions over the signal (125 Hz, 1-30 Hz), and small dense networks over 30 figures from the literature (counts, leakage,
spectral moments, phase space, ...). Networks that differ in their seed: ${members.signal} and ${members.features}. The daemon asks it once a second;
${verdicts} verdicts in a row above ${on}, the two ventricular classes together, raise an alert.

Which of the two ventricular kinds it is, a network cannot say of people it was not trained on: trained to, it was right as often
as wrong (area under the curve 0.50). So they are trained as one class, and \`vt\` and \`vf\` get half of its score each. \`ventricular-tachycardia\` is raised where our
detector finds even beats at the rate of the wave, \`ventricular-fibrillation\` everywhere else; both are high alarms.

The gain of the device does not matter: the signal is divided by its deviation plus 4 % of the height that this sensor's
heart usually draws, so that a line without beats stays small whatever the unit.

**Where it fails.** Single records: the spread between them is wide, see below. Electrode motion can look like fibrillation
on one lead. Fine fibrillation may pass for asystole and the other way round: asystole has a rule of its own, and either is a
high alarm. Slow ventricular tachycardia is left to the beat model. It was trained on 22 recordings with such rhythms, few people; it is no defibrillator's algorithm.

## Cross-validation

${validation === null ? 'This training was not cross-validated.' : validated(validation as Validation)}

## Test (${testedVariant})

Recordings that nothing was trained or chosen on, the alarm at its shipped setting, signal taken as good:

- MIT-BIH Arrhythmia (48 records, ${test.mitdb.alarms.hoursOutside.toFixed(1)} h): ${test.mitdb.alarms.falseAlerts} false alerts (${list(test.mitdb.alarms.recordsWithFalse)}); windows called shockable at ${on}: ${percent(1 - test.mitdb.windows.specificity)}.
- CinC 2017, the recordings called too noisy (${test.noise.alarms.hoursOutside.toFixed(2)} h): ${test.noise.alarms.falseAlerts} false alerts, ${test.noise.alarms.falsePerHour.toFixed(2)} an hour.
${notes ? `\n${notes.trim()}\n` : ''}
Calibrated with ${calibration.method} on ${calibration.items} windows: ${calibration.from}. Made wholly by \`slothd lab\`
(\`--model shockable-ecg\`). Recordings: PhysioNet (Goldberger 2000), Greenwald 1986 (vfdb), Greenwald 1990 (svdb), Moody 1984
(nstdb, whose baseline wander and muscle noise were added to windows in training), Moody & Mark 2001, Clifford 2017.`;
}

const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const list = (names: readonly string[]) => names.join(' ') || 'none';

function validated({ method, windows, crossFitted, svdbSpecificity, alarms }: Validation): string {
  return `${method}. The shipped model is trained on all of these records: what it says of them is no evidence, these figures are.
Windows of 4 s; "others": noise and asystole left out; "live": kept; slow tachycardia and rhythm changes left out.

${windowTable(windows)}

A threshold read from that table has seen what it judges. With each fold judged at the threshold that the other folds' records
would choose (the most to spare over 94/98.5 %; ${crossFitted.thresholds.map((threshold) => threshold.toFixed(2)).join(', ')}): **Se ${percent(crossFitted.sensitivity)}, Sp ${percent(crossFitted.specificity)}**
with noise and asystole left out, Sp ${percent(crossFitted.specificityLive)} with them kept.

On svdb (ectopic beats, none of these rhythms) ${percent(svdbSpecificity)} of the windows are not called shockable at 0.5.

By record at 0.5 (sensitivity, false windows): ${byRecord(windows.find(({ threshold }) => threshold === 0.5)!)}.

Alarms, episodes of 10 s and more (found: by either kind), false alerts outside VF, VFL and VT:

${alarmTable(alarms)}`;
}

function windowTable(windows: readonly ShockableWindowFigures[]): string {
  const head = [
    'threshold',
    'Se',
    'Sp others',
    'Sp live',
    'VF+VFL Se',
    'fast VT Se',
    'noise called',
    'asystole called',
    'slow VT called',
  ];
  return [
    row(head),
    row(head.map(() => '---')),
    ...windows.map((w) =>
      row([
        String(w.threshold),
        ...[
          w.sensitivity,
          w.specificity,
          w.specificityLive,
          w.fibrillationSensitivity,
          w.fastVtSensitivity,
          w.noisePositive,
          w.asystolePositive,
          w.slowVtPositive,
        ].map(percent),
      ]),
    ),
  ].join('\n');
}

function byRecord({ byRecord }: ShockableWindowFigures): string {
  return Object.entries(byRecord)
    .map(([name, { sensitivity, falsePositives, windows }]) =>
      windows > 0
        ? `${name.slice(5)} ${percent(sensitivity)} of ${windows}, ${falsePositives}`
        : `${name.slice(5)} ${falsePositives}`,
    )
    .join('; ');
}

function alarmTable(alarms: Validation['alarms']): string {
  const head = [
    'above',
    'in a row',
    'VF/VFL',
    'VT',
    'false/h',
    'in noise',
    'in asystole',
    'delay VF p50/p90 s',
    'VT p50/p90 s',
  ];
  const cell = ({ found, episodes }: ShockableAlarmFigures['vf']) => `${found} of ${episodes}`;
  const delay = ({ delayMedianS, delayP90S }: ShockableAlarmFigures['vf']) =>
    `${delayMedianS.toFixed(1)} / ${delayP90S.toFixed(1)}`;
  return [
    row([...head, 'svdb false']),
    row([...head, ''].map(() => '---')),
    ...alarms.map(({ vfdb, svdbFalseAlerts, svdbHours }) =>
      row([
        String(vfdb.setting!.on),
        String(vfdb.setting!.verdicts),
        cell(vfdb.vf),
        cell(vfdb.vt),
        `${vfdb.falsePerHour.toFixed(2)} (${vfdb.falseAlerts} in ${vfdb.hoursOutside.toFixed(1)} h)`,
        String(vfdb.falseInNoise),
        String(vfdb.falseInAsystole),
        delay(vfdb.vf),
        delay(vfdb.vt),
        `${svdbFalseAlerts} in ${svdbHours.toFixed(1)} h`,
      ]),
    ),
  ].join('\n');
}
