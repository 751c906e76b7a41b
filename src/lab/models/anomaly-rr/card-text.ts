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
what it sees. An autoencoder, trained on normal rhythm alone: twelve figures of the window (rate, changes from beat to beat,
entropy, alternation, early beats ...), each in deviations from the person's own past, are squeezed through four numbers and
rebuilt. What cannot be rebuilt is the departure; it is told in units of what this person reaches once in a hundred windows.

The baseline learns as it goes (a quarter of an hour until the first verdict, half a day of memory), learns little from what
departs, and stays within what is usual of people: somebody who is always in fibrillation is not taken as usual.

The alert \`anomaly\` needs a departure above ${on} at every look for ${sustainMs / 1000} s, and ends ${clearMs / 1000} s below ${off}. It is low
priority, and silent while a kind with a name stands. It tells rate, irregularity and premature beats, each with this person's
usual range, and which of them left it.

**Where it fails.** Single events (a pause, a short run) are not its business: they have rules of their own, and a window is a
minute long. A slow change that a normal heart makes too (exercise, sleep) is meant to pass. In the first quarter of an hour it
says nothing. It was trained on 54 people, most of them middle-aged, at rest and about their day.

## Cross-validation

${validation === null ? 'This training was not cross-validated.' : validated(validation as Validation)}

## Test

People that nothing was trained or chosen on: every other person of ltafdb (reference beats, a day each; most have
fibrillation), all of mitdb (half an hour each), and four healthy people's chest straps (mmash, with their junk intervals).
Episodes of 2 minutes and more that began after the learning time; found: an alert of this kind is open in it.

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
  const head = ['above', 'for s', 'false alerts per 24 h', 'people with any', 'rate changes found'];
  return [
    `${method}.`,
    '',
    row(head),
    row(head.map(() => '---')),
    ...curve.map(({ setting, normal, rateChanges }) =>
      row([
        String(setting.on),
        String(setting.sustainMs / 1000),
        false24(normal),
        `${normal.peopleWithAlerts.length} of ${normal.people}`,
        share(rateChanges),
      ]),
    ),
  ].join('\n');
}

function byKind({ ltafdb, mitdb, straps }: AnomalyTestFigures): string {
  const kinds = (figures: EpisodeFigures) =>
    Object.entries(figures.kinds)
      .map(([kind, { found, episodes }]) => `${kind} ${found} of ${episodes}`)
      .join(', ');
  return `At the shipped setting: ltafdb ${share(ltafdb)}: ${kinds(ltafdb)}; delay, where no alert was open yet, median
${ltafdb.delayMedianS.toFixed(0)} s. mitdb ${share(mitdb)}: ${kinds(mitdb)}. Straps: ${false24(straps)} alerts per 24 h.`;
}

function testTable(test: readonly AnomalyTestFigures[]): string {
  const head = ['above', 'for s', 'ltafdb', 'mitdb', 'straps, alerts per 24 h'];
  return [
    row(head),
    row(head.map(() => '---')),
    ...test
      .slice(1)
      .map(({ setting, ltafdb, mitdb, straps }) =>
        row([String(setting.on), String(setting.sustainMs / 1000), share(ltafdb), share(mitdb), false24(straps)]),
      ),
  ].join('\n');
}
