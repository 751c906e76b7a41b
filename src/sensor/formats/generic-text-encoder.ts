import { type TextSettings, textCarries } from './generic-text-options.js';
import { IgnoringSink } from './ignoring-sink.js';
import { LineWriter } from './line-writer.js';
import { nmeaSentence } from './nmea.js';
import type { TextField } from './text-fields.js';

/** Names the encoder writes, in the order it writes them. */
const NAMES: readonly (readonly [Exclude<TextField, 'ignore' | 'sequence'>, string])[] = [
  ['time', 'time'],
  ['contact', 'contact'],
  ['bpm', 'BPM'],
  ['spo2', 'SpO2'],
  ['battery', 'battery'],
  ['beat', 'beat'],
  ['rr', 'RR'],
  ['signal', 'signal'],
];

/** The device's side of `generic-text`, in the configured style. */
export class GenericTextEncoder extends IgnoringSink {
  private readonly lines: LineWriter;
  private readonly hasWaveform: boolean;
  /** Said since the last line. */
  private readonly fresh = new Map<TextField, number>();
  /** What a device repeats on every line of columns. */
  private readonly latest = new Map<TextField, number>();
  private sequence = 0;

  constructor(
    write: (bytes: Uint8Array) => void,
    private readonly settings: TextSettings,
  ) {
    super();
    this.lines = new LineWriter(write);
    this.hasWaveform = textCarries(settings).waveform !== null;
  }

  override deviceTime(tMs: number): void {
    this.say('time', tMs);
  }

  override lost(samples: number): void {
    this.sequence += samples;
  }

  override beat(): void {
    this.say('beat', 1);
  }

  override rr(rrMs: number): void {
    this.say('rr', this.settings.unit === 's' ? rrMs / 1000 : rrMs);
  }

  override heartRate(hrBpm: number): void {
    this.say('bpm', hrBpm);
    this.latest.set('bpm', hrBpm);
  }

  override spo2(percent: number): void {
    this.say('spo2', percent);
    this.latest.set('spo2', percent);
  }

  override contact(on: boolean): void {
    this.say('contact', Number(on));
    this.latest.set('contact', Number(on));
  }

  override battery(percent: number): void {
    this.say('battery', percent);
    this.latest.set('battery', percent);
  }

  override sample(value: number): void {
    if (!this.hasWaveform) return;
    this.say('signal', value);
    this.line();
  }

  override frame(): void {
    if (this.fresh.size > 0 && !this.hasWaveform) this.line();
  }

  /** A second value of the same kind needs a line of its own. */
  private say(field: TextField, value: number): void {
    if (this.fresh.has(field) && (field === 'rr' || field === 'beat')) this.line();
    this.fresh.set(field, value);
  }

  private line(): void {
    const { style } = this.settings;
    if (style === 'csv') this.lines.line(this.row());
    else if (style === 'nmea') this.lines.line(this.sentence());
    else if (style === 'json') this.lines.line(this.json());
    else this.lines.line(this.pairs());
    this.fresh.clear();
    this.sequence++;
  }

  private row(): string {
    const { columns, decimalComma } = this.settings;
    const separator = decimalComma ? ';' : ',';
    return columns.map((column) => (typeof column === 'object' ? column.literal : this.cell(column))).join(separator);
  }

  private cell(field: TextField): string {
    if (field === 'ignore') return '0';
    if (field === 'sequence') return String(this.sequence);
    if (field === 'beat') return this.fresh.has('beat') ? '1' : '0';
    return this.written(this.fresh.get(field) ?? this.latest.get(field) ?? Number.NaN);
  }

  private sentence(): string {
    if (this.settings.columns.length > 0) return nmeaSentence(`HRM,${this.row()}`);
    const whole = (field: TextField) => {
      const value = this.fresh.get(field) ?? this.latest.get(field) ?? Number.NaN;
      return Number.isNaN(value) ? '' : String(Math.round(value));
    };
    const rr = this.fresh.has('rr') ? whole('rr') : '';
    return nmeaSentence(`HRM,${whole('time')},${whole('bpm')},${rr},${whole('contact')}`);
  }

  private json(): string {
    const record: Record<string, number | null> = {};
    for (const [field, name] of NAMES) {
      const value = this.fresh.get(field);
      if (value !== undefined) record[name] = Number.isNaN(value) ? null : value;
    }
    return JSON.stringify(record);
  }

  private pairs(): string {
    const said = NAMES.filter(([field]) => this.fresh.has(field));
    const unit = (field: TextField) => (field === 'rr' ? (this.settings.unit === 's' ? ' s' : ' ms') : '');
    return said
      .map(([field, name]) => `${name}: ${this.written(this.fresh.get(field)!)}${unit(field)}`)
      .join(this.settings.decimalComma ? '; ' : ', ');
  }

  private written(value: number): string {
    if (Number.isNaN(value)) return 'nan';
    const text = String(Number(value.toFixed(6)));
    return this.settings.decimalComma ? text.replace('.', ',') : text;
  }
}
