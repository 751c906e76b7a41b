import type { ExportRecording, Mark } from './recording.js';

/**
 * EDF+ (Kemp and Olivan, "European data format 'plus'", Clin Neurophysiol 114, 2003; www.edfplus.info/specs/edfplus.html),
 * continuous: one ordinary signal and one of annotations.
 */

const DIGITAL_MIN = -32_768;
const DIGITAL_MAX = 32_767;
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const encoder = new TextEncoder();

/** @returns the bytes of an EDF+C file. A sample that is missing stands at the lowest value, and a mark says so. */
export function encodeEdf(recording: ExportRecording, software: string): Uint8Array {
  const { signal, startedAt } = recording;
  const perRecord = Math.max(1, Math.round(recording.rateHz));
  const durationText = inEightLetters(perRecord / recording.rateHz);
  const durationS = Number(durationText);
  const records = Math.max(1, Math.ceil(signal.samples.length / perRecord));
  const { minText, maxText } = physicalRange(signal.samples);
  const [min, max] = [Number(minText), Number(maxText)];
  const lists = annotationLists(recording, records, durationS);
  const annotationBytes = 2 * Math.ceil(Math.max(...lists.map((list) => list.length)) / 2);

  const head = Buffer.alloc(256 * 3, 0x20);
  let at = 0;
  const put = (text: string, width: number) => {
    head.write(ascii(text).slice(0, width), at, 'latin1');
    at += width;
  };
  put('0', 8);
  put('X X X X', 80);
  const day = startedAt && startedAt.getUTCFullYear() >= 1985 && startedAt.getUTCFullYear() <= 2084 ? startedAt : null;
  const two = (value: number) => String(value).padStart(2, '0');
  const date = day ? `${two(day.getUTCDate())}-${MONTHS[day.getUTCMonth()]}-${day.getUTCFullYear()}` : 'X';
  put(`Startdate ${date} ${recording.name.replaceAll(' ', '_')} ${software.replaceAll(' ', '_')} X`, 80);
  put(
    day ? `${two(day.getUTCDate())}.${two(day.getUTCMonth() + 1)}.${two(day.getUTCFullYear() % 100)}` : '01.01.85',
    8,
  );
  put(day ? `${two(day.getUTCHours())}.${two(day.getUTCMinutes())}.${two(day.getUTCSeconds())}` : '00.00.00', 8);
  put(String(head.length), 8);
  put('EDF+C', 44);
  put(String(records), 8);
  put(durationText, 8);
  put('2', 4);
  for (const [width, own, annotations] of [
    [16, signal.name, 'EDF Annotations'],
    [80, '', ''],
    [8, signal.unit, ''],
    [8, minText, '-1'],
    [8, maxText, '1'],
    [8, String(DIGITAL_MIN), String(DIGITAL_MIN)],
    [8, String(DIGITAL_MAX), String(DIGITAL_MAX)],
    [80, '', ''],
    [8, String(perRecord), String(annotationBytes / 2)],
    [32, '', ''],
  ] as const) {
    put(own, width);
    put(annotations, width);
  }

  const recordBytes = 2 * perRecord + annotationBytes;
  const out = Buffer.alloc(head.length + records * recordBytes);
  head.copy(out);
  const scale = (DIGITAL_MAX - DIGITAL_MIN) / (max - min);
  for (let r = 0; r < records; r++) {
    const from = head.length + r * recordBytes;
    for (let i = 0; i < perRecord; i++) {
      const value = signal.samples[r * perRecord + i] ?? Number.NaN;
      const digital = Number.isFinite(value) ? Math.round((value - min) * scale) + DIGITAL_MIN : DIGITAL_MIN;
      out.writeInt16LE(Math.max(DIGITAL_MIN, Math.min(DIGITAL_MAX, digital)), from + 2 * i);
    }
    out.set(lists[r]!, from + 2 * perRecord);
  }
  return out;
}

/** Time-stamped annotation lists, one for each data record; the first entry of each says when the record begins. */
function annotationLists(
  { beats, marks, signal, rateHz }: ExportRecording,
  records: number,
  durationS: number,
): Uint8Array[] {
  const parts: string[][] = Array.from({ length: records }, (_, r) => [`+${seconds(r * durationS)}\x14\x14\0`]);
  const add = ({ atS, durationS: lasts, text }: Mark) => {
    const record = Math.max(0, Math.min(records - 1, Math.floor(atS / durationS)));
    const length = lasts === undefined ? '' : `\x15${seconds(lasts)}`;
    parts[record]!.push(`+${seconds(Math.max(0, atS))}${length}\x14${printable(text)}\x14\0`);
  };
  const all = [
    ...beats.map(({ atS, label }) => ({ atS, text: label })),
    ...marks,
    ...missing(signal.samples, rateHz),
  ].sort((a, b) => a.atS - b.atS);
  for (const mark of all) add(mark);
  return parts.map((part) => encoder.encode(part.join('')));
}

/** Where samples are missing. */
function missing(samples: Float32Array, rateHz: number): Mark[] {
  const out: Mark[] = [];
  for (let i = 0; i < samples.length; i++) {
    if (Number.isFinite(samples[i])) continue;
    const from = i;
    while (i + 1 < samples.length && !Number.isFinite(samples[i + 1])) i++;
    out.push({ atS: from / rateHz, durationS: (i + 1 - from) / rateHz, text: 'signal missing' });
  }
  return out;
}

/** The range of the samples as numbers that fit the header's eight letters, a little wider rather than narrower. */
function physicalRange(samples: Float32Array): { minText: string; maxText: string } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of samples) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (!(max > min))
    return {
      minText: inEightLetters(Number.isFinite(min) ? min - 1 : -1),
      maxText: inEightLetters(Number.isFinite(min) ? min + 1 : 1),
    };
  const room = (max - min) * 0.001;
  return { minText: inEightLetters(min - room), maxText: inEightLetters(max + room) };
}

/** A number in at most eight letters, as exact as they allow; never with an exponent, which EDF does not know. */
function inEightLetters(value: number): string {
  for (let digits = 7; digits >= 0; digits--) {
    const text = value.toFixed(digits);
    if (text.length <= 8) return digits > 0 ? text.replace(/\.?0+$/, '') : text;
  }
  throw new RangeError(`${value} has no place in an EDF header`);
}

/** Seven digits: the beginning of a record must be a whole number of its durations, which have as many. */
function seconds(value: number): string {
  return value.toFixed(7).replace(/\.?0+$/, '');
}

const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, '?');
/** The format's own separators must not stand in a text. */
const printable = (text: string) => [...text].filter((letter) => letter >= ' ').join('');
