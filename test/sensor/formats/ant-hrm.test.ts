import { describe, expect, it } from 'vitest';
import { antMessage } from '../../../src/sensor/formats/ant-frame.js';
import { antHrm } from '../../../src/sensor/formats/ant-hrm.js';
import { checkOptions } from '../../../src/sensor/formats/registry.js';
import { decode, hex, numbers, reasons } from './recorder.js';
import { DUMMY_ANT_KEY } from './traits.js';

const FIRST = hex('A4 09 4E 00 04 FF 93 00 E8 03 0A 48 22');
const SECOND = hex('A4 09 4E 00 04 FF E8 03 3D 07 0B 48 8A');
const THIRD = hex('A4 09 4E 00 84 FF 3D 07 A3 0A 0C 48 4F');
const FOURTH = hex('A4 09 4E 00 84 FF A3 0A 1A 0E 0D 48 60');
const WRAPPED = hex('A4 09 4E 00 84 FF F0 FE 40 02 00 48 9C');

function page(payload: readonly number[]): Uint8Array {
  return antMessage(0x4e, [0, ...payload]);
}

describe('ant messages', () => {
  it.each([
    ['[TEST] reset', 0x4a, [0], 'A4 01 4A 00 EF'],
    ['[TEST] channel id 2', 0x51, [2, 0xf7, 0x27, 0xf8, 0], 'A4 05 51 02 F7 27 F8 00 DA'],
    ['[TEST] lib config E0', 0x6e, [0, 0xe0], 'A4 02 6E 00 E0 28'],
    ['[TEST] extended on', 0x66, [0, 1], 'A4 02 66 00 01 C1'],
    ['[SYN] close', 0x4c, [0], 'A4 01 4C 00 E9'],
    ['[TEST] request channel id', 0x4d, [2, 0x51], 'A4 02 4D 02 51 B8'],
  ])('%s', (_name, id, data, bytes) => {
    expect(antMessage(id, data)).toEqual(hex(bytes));
  });

  it('[SYN] opens a heart-rate channel with the key of the configuration', () => {
    expect(antHrm.commands?.({ networkKey: DUMMY_ANT_KEY })).toEqual({
      start: Buffer.from(
        hex(`
          A4 09 46 00 09 08 07 06 05 04 03 02 EB
          A4 03 42 00 00 00 E5
          A4 05 51 00 00 00 78 00 88
          A4 02 45 00 39 DA
          A4 03 43 00 86 1F 7D
          A4 02 44 00 FF 1D
          A4 01 4B 00 EE`),
      ),
      stop: hex('A4 01 4C 00 E9'),
    });
    const one = antHrm.commands?.({ networkKey: '09:08:07:06:05:04:03:02', deviceNumber: 10_231 });
    expect(one?.start?.subarray(20, 29)).toEqual(Buffer.from(antMessage(0x51, [0, 0xf7, 0x27, 0x78, 0])));
  });

  it('refuses to start without a key, and never repeats a wrong one', () => {
    expect(() => checkOptions(antHrm, {})).toThrow(/option networkKey: is not set; ANT\+ needs/);
    expect(() => checkOptions(antHrm, { networkKey: 'secret' })).toThrow(/is not 8 bytes/);
    expect(() => checkOptions(antHrm, { networkKey: 'secret' })).not.toThrow(/secret/);
    expect(antHrm.commands?.({ mode: 'listen' })).toEqual({});
  });
});

describe('ant-hrm', () => {
  it('[SYN] a series of page 4: an interval a beat, from the second message on', () => {
    const events = decode(antHrm, {}, FIRST, SECOND, SECOND, THIRD, THIRD, FOURTH);
    expect(numbers(events, 'rr').map((rr) => rr.toFixed(1))).toEqual(['833.0', '849.6', '866.2']);
    expect(numbers(events, 'heartRate')).toEqual([72, 72, 72, 72, 72, 72]);
    expect(reasons(events)).toEqual([]);
  });

  it('[SYN] the event time and the beat count wrap', () => {
    const before = page([0x84, 0xff, 0, 0, 0xf0, 0xfe, 0xff, 72]);
    const events = decode(antHrm, {}, FIRST, before, WRAPPED);
    expect(numbers(events, 'rr').map((rr) => rr.toFixed(1))).toEqual(['828.1']);
  });

  it('[SYN] page 0: intervals from the event times', () => {
    const events = decode(
      antHrm,
      {},
      hex('A4 09 4E 00 00 FF FF FF E8 03 0A 48 B5'),
      hex('A4 09 4E 00 00 FF FF FF 3D 07 0B 48 65'),
    );
    expect(numbers(events, 'rr').map((rr) => rr.toFixed(1))).toEqual(['833.0']);
  });

  it('[TEST] page 4 (fields alone), with a time stamp behind it, and a LEN of 0', () => {
    expect(numbers(decode(antHrm, {}, hex('A4 09 4E 00 04 1A 2E D9 E4 DA 10 47 63')), 'heartRate')).toEqual([71]);
    expect(numbers(decode(antHrm, {}, hex('A4 0C 4E 00 84 22 06 1D D0 25 05 48 20 EE BE 93')), 'heartRate')).toEqual([
      72,
    ]);
    expect(decode(antHrm, {}, hex('A4 00 4E EA'))).toEqual([['dropped', 'framing', 0]]);
  });

  it('[TEST] extended messages of another kind of sensor are not a heart', () => {
    expect(decode(antHrm, {}, hex('A4 0E 4E 00 01 00 20 08 60 FF 00 00 80 53 6F 23 65 A8'))).toEqual([]);
    expect(decode(antHrm, {}, hex('A4 14 4E 00 02 00 16 0E C7 DC 00 01 E0 53 6F 23 65 10 01 6D 00 61 84 FD'))).toEqual(
      [],
    );
  });

  it('hears one strap alone where its number is set', () => {
    const extended = antMessage(0x4e, [0, 4, 0xff, 0, 0, 1, 0, 1, 72, 0x80, 0x53, 0x6f, 0x78, 0x65]);
    expect(numbers(decode(antHrm, {}, extended), 'heartRate')).toEqual([72]);
    expect(numbers(decode(antHrm, { deviceNumber: 28_499 }, extended), 'heartRate')).toEqual([72]);
    expect(decode(antHrm, { deviceNumber: 28_500 }, extended)).toEqual([]);
  });

  it('[TEST] page 2 of channel 1 belongs to channel 1', () => {
    const message = hex('A4 09 4E 01 82 0F 01 00 00 00 00 48 26');
    expect(decode(antHrm, {}, message)).toEqual([]);
    expect(numbers(decode(antHrm, { channel: 1 }, message), 'heartRate')).toEqual([72]);
  });

  it('[TEST] [SYN] start-up, answers, events and capabilities say nothing', () => {
    const quiet = hex(`
      A4 01 6F 20 EA  A4 01 6F 00 CA  A4 03 40 00 46 00 A1  A4 03 40 00 42 00 A5  A4 03 40 00 51 00 B6
      A4 03 40 00 45 00 A2  A4 03 40 00 43 00 A4  A4 03 40 00 44 00 A3  A4 03 40 00 4B 00 AC
      A4 03 40 01 42 00 A4  A4 03 40 01 46 28 88  A4 03 40 00 01 02 E4  A4 03 40 00 01 01 E7
      A4 03 40 00 01 08 EE  A4 03 40 00 01 07 E1  A4 07 54 08 08 00 BA 36 00 DF A4`);
    expect(decode(antHrm, {}, quiet)).toEqual([]);
  });

  it('tells missed beats, with the last interval where page 4 holds it', () => {
    const events = decode(antHrm, {}, FIRST, THIRD, page([0x84, 0xff, 0, 0, 0xe8, 3, 0x10, 72]));
    expect(numbers(events, 'lost')).toEqual([1, 3]);
    expect(numbers(events, 'rr').map((rr) => rr.toFixed(1))).toEqual(['849.6', '976.6']);
  });

  it('reads no pages from an old strap that never flips the toggle', () => {
    const battery = page([7, 50, 0, 0, 0xe8, 3, 0x0a, 72]);
    expect(numbers(decode(antHrm, {}, battery, battery), 'battery')).toEqual([]);
    const flipped = page([0x87, 50, 0, 0, 0xe8, 3, 0x0a, 72]);
    expect(numbers(decode(antHrm, {}, battery, flipped), 'battery')).toEqual([50]);
  });

  it('calls a rate old after five seconds without a beat', () => {
    const events = decode(antHrm, {}, ...Array.from({ length: 22 }, () => FIRST));
    const rates = numbers(events, 'heartRate');
    expect(rates.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 72));
    expect(rates.slice(20)).toEqual([Number.NaN, Number.NaN]);
  });

  it('passes over padding between messages', () => {
    expect(numbers(decode(antHrm, {}, FIRST, hex('00 00'), SECOND), 'rr')).toHaveLength(1);
  });
});
