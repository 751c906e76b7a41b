import { ANOMALY_MOST_SKIPPED } from '../../../inference/windows/anomaly-rr.js';
import type { Quantization } from '../../quantize/index.js';
import type { AnomalyTestFigures } from './evaluate.js';
import type { EpisodeFigures, NormalFigures } from './figures.js';
import { shippedSetting, type validationOf } from './train.js';

type Validation = ReturnType<typeof validationOf>;

export interface CardFacts {
  readonly calibration: Quantization['calibration'];
  /** The shipped setting first, then the curve. */
  readonly test: readonly AnomalyTestFigures[];
  /** `training.json`'s; null where the training was not cross-validated. */
  readonly validation: unknown;
  /** Figures measured elsewhere, as text. */
  readonly notes: string;
}

/** The author's part of CARD.md. */
export function cardText({ calibration, test, validation, notes }: CardFacts): string {
  const { on, off, sustainMs, clearMs } = shippedSetting();
  const [shipped] = test;
  return `Says how far the last 60 RR intervals depart from what is usual of this very person. It needs no ECG and no name for
what it sees. Twelve figures of the window (rate, changes from beat to beat, entropy, alternation, early beats ...), each in
deviations from the person's own past, go through one small layer; it tells windows of normal rhythm, all real, from made-up
ones: intervals without memory, and every second or third beat early. No annotated arrhythmia was trained on. The departure
is told in units of what this person reaches once in a hundred windows.

The baseline learns as it goes (a quarter of an hour until the first verdict, half a day of memory), learns little from what
departs, and stays within what is usual of people: somebody who is always in fibrillation is not taken as usual. Windows in
which more than ${Math.round(100 * ANOMALY_MOST_SKIPPED)} % of the intervals had to be left out as junk are not judged.

The alert \`anomaly\` needs a departure above ${on} at every look for ${sustainMs / 1000} s, and ends ${clearMs / 1000} s below ${off}. It is low
priority, and silent while a kind with a name stands. It tells rate, irregularity and premature beats, each with this person's
usual range, and which of them left it. The daemon asks no anomaly model unless the config says so.

**Where it fails.** A strap that slips makes rhythms of its own: see the straps below. Single events (a pause, a short run) are
not its business: they have rules of their own, and a window is a minute long. A slow change that a normal heart makes too
(exercise, sleep) is meant to pass, and so is mostly a mere change of rate. In the first quarter of an hour it says nothing.
It was trained on 41 people, most of them middle-aged, at rest and about their day.

## Cross-validation

${validation === null ? 'This training was not cross-validated.' : validated(validation as Validation)}

## Test

People that nothing was trained or chosen on, read once with the shipped setting: every fourth person of nsr2db, every other
of ltafdb (reference beats, a day each; most have fibrillation) and of mmash (chest straps of healthy people, with their junk
intervals), and all of mitdb (half an hour each). Episodes of 2 minutes and more that began after the learning time; found: an
alert of this kind is open in it. (A former network's figures on these patients and straps were known, see docs/models.md.)

${shipped ? byKind(shipped) : ''}

${testTable(test)}
${notes ? `\n${notes.trim()}\n` : ''}
Calibrated with ${calibration.method} on ${calibration.items} windows: ${calibration.from}. Made wholly by \`slothd lab\`
(\`--model anomaly-rr\`). Recordings: PhysioNet (Goldberger 2000), Petrutiu 2007, Moody & Mark 2001, Rossi 2020 (mmash).`;
}

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
const share = ({ found, episodes }: EpisodeFigures) =>
  episodes > 0 ? `${found} of ${episodes} (${((100 * found) / episodes).toFixed(1)} %)` : 'none';
const false24 = ({ per24h, alerts, hours }: NormalFigures) =>
  `${per24h.toFixed(2)} (${alerts} in ${hours.toFixed(0)} h)`;

function validated({ method, curve }: Validation): string {
  const head = ['above', 'for s', 'false alerts per 24 h', 'people with any', 'rate changes found', 'ltafdb', 'straps'];
  return [
    `${method}.`,
    '',
    row(head),
    row(head.map(() => '---')),
    ...curve.map(({ setting, normal, rateChanges, ltafdb, straps }) =>
      row([
        String(setting.on),
        String(setting.sustainMs / 1000),
        false24(normal),
        `${normal.peopleWithAlerts.length} of ${normal.people}`,
        share(rateChanges),
        share(ltafdb),
        false24(straps),
      ]),
    ),
  ].join('\n');
}

function byKind({ normal, ltafdb, mitdb, straps }: AnomalyTestFigures): string {
  const kinds = (figures: EpisodeFigures) =>
    Object.entries(figures.kinds)
      .map(([kind, { found, episodes }]) => `${kind} ${found} of ${episodes}`)
      .join(', ');
  const who = ({ peopleWithAlerts }: NormalFigures) => peopleWithAlerts.join(', ') || 'none';
  return `At the shipped setting: alerts per 24 h in normal rhythm ${false24(normal)}: ${who(normal)}, ${normal.people} people.
Straps: ${false24(straps)}: ${who(straps)}. ltafdb ${share(ltafdb)}: ${kinds(ltafdb)}; delay, where no alert was open yet, median
${ltafdb.delayMedianS.toFixed(0)} s. mitdb ${share(mitdb)}: ${kinds(mitdb)}.`;
}

function testTable(test: readonly AnomalyTestFigures[]): string {
  const head = ['above', 'for s', 'nsr2db, alerts per 24 h', 'ltafdb', 'mitdb', 'straps, alerts per 24 h'];
  return [
    row(head),
    row(head.map(() => '---')),
    ...test
      .slice(1)
      .map(({ setting, normal, ltafdb, mitdb, straps }) =>
        row([
          String(setting.on),
          String(setting.sustainMs / 1000),
          false24(normal),
          share(ltafdb),
          share(mitdb),
          false24(straps),
        ]),
      ),
  ].join('\n');
}
