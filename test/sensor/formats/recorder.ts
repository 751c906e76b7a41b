import type { DropReason, Format, FormatOptions, ReadingSink } from '../../../src/domain/reading.js';

export type Event =
  | ['sample' | 'deviceTime' | 'lost' | 'rr' | 'heartRate' | 'spo2' | 'battery', number]
  | ['contact', boolean]
  | ['beat']
  | ['frame']
  | ['dropped', DropReason, number];

/** A sink that writes down what it is told. */
export class Recorder implements ReadingSink {
  readonly events: Event[] = [];

  sample(value: number): void {
    this.events.push(['sample', value]);
  }
  deviceTime(tMs: number): void {
    this.events.push(['deviceTime', tMs]);
  }
  lost(samples: number): void {
    this.events.push(['lost', samples]);
  }
  beat(): void {
    this.events.push(['beat']);
  }
  rr(rrMs: number): void {
    this.events.push(['rr', rrMs]);
  }
  heartRate(hrBpm: number): void {
    this.events.push(['heartRate', hrBpm]);
  }
  spo2(percent: number): void {
    this.events.push(['spo2', percent]);
  }
  contact(on: boolean): void {
    this.events.push(['contact', on]);
  }
  battery(percent: number): void {
    this.events.push(['battery', percent]);
  }
  frame(): void {
    this.events.push(['frame']);
  }
  dropped(reason: DropReason, bytes: number): void {
    this.events.push(['dropped', reason, bytes]);
  }
}

/** Everything a fresh decoder says about these chunks. */
export function decode(format: Format, options: FormatOptions, ...chunks: readonly Uint8Array[]): Event[] {
  const recorder = new Recorder();
  const decoder = format.createDecoder(recorder, options);
  for (const chunk of chunks) decoder.push(chunk);
  return recorder.events;
}

/** Decodes lines that follow a newline, so that none counts as cut. */
export function decodeText(format: Format, text: string, options: FormatOptions = {}): Event[] {
  return decode(format, options, Buffer.from(`\n${text}`, 'utf8'));
}

/** Writes readings as the device would and returns the bytes. */
export function encode(format: Format, options: FormatOptions, drive: (sink: ReadingSink) => void): Uint8Array {
  return Buffer.concat(encodeFrames(format, options, drive));
}

/** As `encode`, one array for each write of the device. */
export function encodeFrames(format: Format, options: FormatOptions, drive: (sink: ReadingSink) => void): Uint8Array[] {
  const writes: Uint8Array[] = [];
  drive(format.createEncoder((bytes) => writes.push(bytes), options));
  return writes;
}

/** Numbers of one kind of event, in order. */
export function numbers(events: readonly Event[], kind: Event[0]): number[] {
  return events.filter((event) => event[0] === kind).map((event) => Number(event[1]));
}

/** Reasons of what was dropped, in order. */
export function reasons(events: readonly Event[]): DropReason[] {
  return events.flatMap((event) => (event[0] === 'dropped' ? [event[1]] : []));
}

/** Bytes from hex digits with blanks and newlines between. */
export function hex(digits: string): Uint8Array {
  return Uint8Array.from(Buffer.from(digits.replaceAll(/\s/g, ''), 'hex'));
}
