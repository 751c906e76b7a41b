import { describe, expect, it } from 'vitest';
import { protocentral } from '../../../src/sensor/formats/protocentral.js';
import { decode, type Event, encode, hex, numbers, Recorder, reasons } from './recorder.js';

const ADS1292R = hex('0A FA 09 00 02 D2 04 BF FE 0F 00 48 00 00 00 0B');
const HEARTYPATCH = hex(
  '0A FA 30 00 03 07 00 00 00 00 F1 53 65 20 A1 07 00 41 03 00 00 00 00 00 00 E8 03 00 00 D0 07 00 00 B8 0B 00 00 A0 0F 00 00 88 13 00 00 70 17 00 00 58 1B 00 00 00 0B',
);

const VECTORS: readonly { board: string; name: string; bytes: Uint8Array; expected: readonly Event[] }[] = [
  {
    board: 'ads1292r',
    name: 'ecg 1234, HR 72',
    bytes: ADS1292R,
    expected: [['heartRate', 72], ['sample', 1234], ['frame']],
  },
  {
    board: 'healthypi-v4',
    name: 'ecg -100, SpO2 97, HR 72',
    bytes: hex('0A FA 14 00 02 9C FF FA 00 40 E2 01 00 CD 81 01 00 44 0E 0F 61 48 50 78 00 00 0B'),
    expected: [['contact', true], ['heartRate', 72], ['spo2', 97], ['sample', -100], ['frame']],
  },
  {
    board: 'healthypi-5-old',
    name: 'ecg -12345, SpO2 97, HR 72',
    bytes: hex('0A FA 16 00 02 C7 CF FF FF 32 09 01 00 00 CD 81 01 00 40 E2 01 00 44 0E 61 48 0F 00 0B'),
    expected: [['heartRate', 72], ['spo2', 97], ['sample', -12345], ['frame']],
  },
  {
    board: 'max30003',
    name: 'ecg 1000, RR 833, HR 72',
    bytes: hex('0A FA 0C 00 02 E8 03 00 00 41 03 00 00 48 00 00 00 00 0B'),
    expected: [['heartRate', 72], ['rr', 833], ['sample', 1000], ['frame']],
  },
  {
    board: 'max30001',
    name: 'ecg 1000, HR 72, RR 833',
    bytes: hex('0A FA 0C 00 02 E8 03 00 00 30 F8 FF FF 48 00 41 03 00 0B'),
    expected: [['heartRate', 72], ['rr', 833], ['sample', 1000], ['frame']],
  },
  {
    board: 'afe4490',
    name: 'ir 123456, HR 72, SpO2 97',
    bytes: hex('0A FA 0A 00 02 CD 81 01 00 40 E2 01 00 48 61 00 0B'),
    expected: [['heartRate', 72], ['spo2', 97], ['sample', 123456], ['frame']],
  },
  {
    board: 'heartypatch',
    name: 'time 1700000000.5 s, RR 833, ECG 0 1000 ... 7000',
    bytes: HEARTYPATCH,
    expected: [
      ['deviceTime', 1_700_000_000_500],
      ['rr', 833],
      ...Array.from({ length: 8 }, (_, i) => ['sample', 1000 * i] as Event),
      ['frame'],
    ],
  },
  {
    board: 'healthypi-5',
    name: 'type 3: ECG 0,100..700, HR 72',
    bytes: hex(
      '0A FA 32 00 03 00 00 00 00 64 00 00 00 C8 00 00 00 2C 01 00 00 90 01 00 00 F4 01 00 00 58 02 00 00 BC 02 00 00 00 00 00 00 0A 00 00 00 14 00 00 00 1E 00 00 00 48 0F 00 0B',
    ),
    expected: [['heartRate', 72], ...Array.from({ length: 8 }, (_, i) => ['sample', 100 * i] as Event), ['frame']],
  },
  {
    board: 'healthypi-5',
    name: 'type 4: SpO2 97',
    bytes: hex('0A FA 13 00 04 00 00 64 00 C8 00 2C 01 90 01 F4 01 58 02 BC 02 44 0E 61 00 0B'),
    expected: [['spo2', 97], ['frame']],
  },
];

describe('protocentral', () => {
  it.each(VECTORS)('[SYN] $board: $name', ({ board, bytes, expected }) => {
    expect(decode(protocentral, { board, rrOnChange: true }, bytes)).toEqual(expected);
  });

  it.each(VECTORS)('[SYN] $board: takes a trailer without 00 ($name)', ({ board, bytes, expected }) => {
    const short = Buffer.concat([bytes.subarray(0, -2), hex('0B')]);
    expect(decode(protocentral, { board, rrOnChange: true }, short, short).slice(0, expected.length)).toEqual(expected);
  });

  it('uses the length to reject what another board sends', () => {
    const events = decode(protocentral, { board: 'max30003' }, ADS1292R, ADS1292R);
    expect(numbers(events, 'sample')).toEqual([]);
    expect(reasons(decode(protocentral, { board: 'max30003' }, ADS1292R, VECTORS[3]!.bytes))).toEqual(['unknown']);
  });

  it('finds a frame behind a false start, and one whose payload holds a start mark', () => {
    const inside = hex('0A FA 09 00 02 0A FA 09 00 02 00 48 00 00 00 0B');
    const events = decode(protocentral, {}, ADS1292R.subarray(0, 9), inside, ADS1292R);
    expect(numbers(events, 'sample')).toEqual([0xfa0a - 0x10000, 1234]);
    expect(events.filter((event) => event[0] === 'dropped')).toEqual([['dropped', 'framing', 9]]);
  });

  it('counts a frame without its stop byte', () => {
    const broken = Uint8Array.from(ADS1292R);
    broken[15] = 0x0c;
    const events = decode(protocentral, {}, broken, ADS1292R);
    expect(events.slice(0, 1)).toEqual([['dropped', 'framing', 16]]);
    expect(numbers(events, 'sample')).toEqual([1234]);
    broken.set([0x05, 0x0b], 14);
    expect(numbers(decode(protocentral, {}, broken, ADS1292R), 'sample')).toEqual([1234]);
  });

  it('tells an electrode that is off', () => {
    const bytes = Uint8Array.from(VECTORS[1]!.bytes);
    bytes[24] = 0x04;
    expect(decode(protocentral, { board: 'healthypi-v4' }, bytes)[0]).toEqual(['contact', false]);
  });

  it('keeps the waveform of a frame whose numbers are impossible', () => {
    const bytes = Uint8Array.from(ADS1292R);
    bytes[12] = 0xff;
    expect(decode(protocentral, {}, bytes)).toEqual([['heartRate', Number.NaN], ['sample', 1234], ['frame']]);
    const noSpo2 = Uint8Array.from(VECTORS[1]!.bytes);
    noSpo2[20] = 0;
    expect(numbers(decode(protocentral, { board: 'healthypi-v4' }, noSpo2), 'spo2')).toEqual([Number.NaN]);
  });

  it('tells lost packets of a HeartyPatch by its counter, also over its wrap, but not a restart', () => {
    const packet = (sequence: number) => {
      const bytes = Buffer.from(HEARTYPATCH);
      bytes.writeUInt32LE(sequence, 5);
      return bytes;
    };
    const lost = (...sequence: readonly number[]) =>
      numbers(decode(protocentral, { board: 'heartypatch' }, ...sequence.map(packet)), 'lost');
    expect(lost(7, 8, 11)).toEqual([16]);
    expect(lost(0xffff_fffe, 0xffff_ffff, 1)).toEqual([8]);
    expect(lost(5000, 0, 1)).toEqual([]);
    const recorder = new Recorder();
    const decoder = protocentral.createDecoder(recorder, { board: 'heartypatch' });
    decoder.push(packet(7));
    decoder.reset();
    decoder.push(packet(90));
    expect(numbers(recorder.events, 'lost')).toEqual([]);
  });

  it('reads the shorter payload of a board whose firmware leaves numbers out', () => {
    const bytes = hex('0A FA 04 00 02 10 27 20 4E 00 0B');
    expect(decode(protocentral, { board: 'pulse-express' }, bytes)).toEqual([['sample', 10_000], ['frame']]);
    const lead2 = hex('0A FA 0C 00 02 01 00 00 00 FE FF FF FF 03 00 00 00 00 0B');
    expect(decode(protocentral, { board: 'ads1293' }, lead2)).toEqual([['sample', -2], ['frame']]);
  });

  it('writes the bytes of the vectors, where they hold only what slothd reads', () => {
    const bytes = encode(protocentral, { board: 'heartypatch' }, (sink) => {
      sink.deviceTime(1_700_000_000_500);
      sink.rr(833);
      sink.lost(7 * 8);
      for (let i = 0; i < 8; i++) sink.sample(1000 * i);
    });
    expect(bytes).toEqual(Buffer.from(HEARTYPATCH));
    expect(
      encode(protocentral, { board: 'max30003' }, (sink) => {
        sink.heartRate(72);
        sink.rr(833);
        sink.sample(1000);
      }),
    ).toEqual(Buffer.from(VECTORS[3]!.bytes));
  });

  it('gives the nominal scale, or the configured one', () => {
    // 2.42 V over gain 12 and 2^15 counts.
    expect(protocentral.carries({}).waveform!.nominal.perUnit).toBeCloseTo(162.49, 2);
    expect(protocentral.carries({ countsPerUnit: 5 }).waveform!.nominal.perUnit).toBe(5);
    expect(protocentral.carries({ board: 'afe4490' }).waveform).toMatchObject({ kind: 'ppg', rateHz: null });
    expect(protocentral.carries({ board: 'afe4490', rateHz: 100 }).waveform).toMatchObject({ rateHz: 100 });
  });
});
