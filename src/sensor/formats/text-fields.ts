/** The things a line of text can say. */
export const TEXT_FIELDS = [
  'signal',
  'bpm',
  'rr',
  'spo2',
  'time',
  'sequence',
  'beat',
  'contact',
  'battery',
  'ignore',
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

/** Names seen in public sketches, lower case without blanks, `_` and `-`. */
const NAMES: Readonly<Record<string, TextField>> = {
  s: 'signal',
  signal: 'signal',
  sample: 'signal',
  raw: 'signal',
  value: 'signal',
  b: 'bpm',
  bpm: 'bpm',
  hr: 'bpm',
  hrm: 'bpm',
  heartrate: 'bpm',
  pulse: 'bpm',
  rate: 'bpm',
  avgbpm: 'bpm',
  q: 'rr',
  ibi: 'rr',
  ibims: 'rr',
  rr: 'rr',
  rrms: 'rr',
  rrinterval: 'rr',
  ipi: 'rr',
  spo2: 'spo2',
  oxygen: 'spo2',
  sao2: 'spo2',
  ox: 'spo2',
  t: 'time',
  time: 'time',
  timestamp: 'time',
  timestampms: 'time',
  seq: 'sequence',
  sequence: 'sequence',
  beat: 'beat',
  contact: 'contact',
  leads: 'contact',
  finger: 'contact',
  battery: 'battery',
  batt: 'battery',
};
/** Names that are a signal only where that kind of waveform is configured. */
const WAVEFORM_NAMES: Readonly<Record<string, 'ecg' | 'ppg'>> = { ecg: 'ecg', ppg: 'ppg', ir: 'ppg' };

/** What a name in a line or in `columns` means; null for an unknown one. */
export function fieldOf(name: string, waveform: 'none' | 'ecg' | 'ppg'): TextField | null {
  const plain = name.toLowerCase().replaceAll(/[\s_-]/g, '');
  const kind = Object.hasOwn(WAVEFORM_NAMES, plain) ? WAVEFORM_NAMES[plain] : undefined;
  if (kind) return kind === waveform ? 'signal' : 'ignore';
  return Object.hasOwn(NAMES, plain) ? NAMES[plain]! : null;
}

/** What a sketch prints for "not measured". */
const MISSING = /^(nan|[+-]?inf|null|--?)?$/i;
const NUMBER = /^[+-]?(\d{1,15}(\.\d{0,9})?|\.\d{1,9})$/;
const COMMA_NUMBER = /^[+-]?\d{1,15},\d{1,9}$/;

/** A number written out in full: NaN for "not measured", null for anything that is not a number (`12abc`). */
export function parseNumber(text: string, decimalComma: boolean): number | null {
  const trimmed = text.trim();
  if (NUMBER.test(trimmed)) return Number(trimmed);
  if (decimalComma && COMMA_NUMBER.test(trimmed)) return Number(trimmed.replace(',', '.'));
  return MISSING.test(trimmed) ? Number.NaN : null;
}

/** The values of one line; used again for the next. */
export class TextValues {
  private readonly values = new Map<TextField, number>();
  /** Unit written behind the interval, if any. */
  rrUnit: 'ms' | 's' | null = null;

  clear(): void {
    this.values.clear();
    this.rrUnit = null;
  }

  /** The first value wins: `BPM=72, Avg BPM=71` is about the beat just seen. */
  set(field: TextField, value: number): void {
    if (field !== 'ignore' && !this.values.has(field)) this.values.set(field, value);
  }

  has(field: TextField): boolean {
    return this.values.has(field);
  }

  /** The value, NaN where absent or not measured. */
  get(field: TextField): number {
    return this.values.get(field) ?? Number.NaN;
  }
}
