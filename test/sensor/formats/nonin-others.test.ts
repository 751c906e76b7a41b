import { describe, expect, it } from 'vitest';
import { noninAscii } from '../../../src/sensor/formats/nonin-ascii.js';
import { noninCommand, selectFormat, selectFormatExtended } from '../../../src/sensor/formats/nonin-commands.js';
import { noninDf1 } from '../../../src/sensor/formats/nonin-df1.js';
import { noninDf2 } from '../../../src/sensor/formats/nonin-df2.js';
import { noninDf7 } from '../../../src/sensor/formats/nonin-df7.js';
import { noninDf8 } from '../../../src/sensor/formats/nonin-df8.js';
import { noninDf13 } from '../../../src/sensor/formats/nonin-df13.js';
import { decode, decodeText, encode, hex, numbers, reasons } from './recorder.js';

describe('nonin commands', () => {
  it('[DOC] set time 2050-12-31 14:30:15', () => {
    expect(noninCommand(0x72, [50, 12, 31, 14, 30, 15])).toEqual(hex('02 72 06 32 0C 1F 0E 1E 0F 03'));
  });

  it.each([
    [7, 0x21, '02 70 04 02 07 21 9E 03'],
    [2, 0x21, '02 70 04 02 02 21 99 03'],
    [8, 0x20, '02 70 04 02 08 20 9E 03'],
    [13, 0x40, '02 70 04 02 0D 40 C3 03'],
  ])('[SYN] select format %i with options %i', (format, flags, bytes) => {
    expect(selectFormatExtended(format, flags)).toEqual(hex(bytes));
  });

  it('are sent at each opening only where the operator says so', () => {
    expect(noninDf7.commands?.({})).toEqual({});
    expect(noninDf7.commands?.({ select: 'simple' })).toEqual({ start: selectFormat(7) });
    expect(selectFormat(7)).toEqual(hex('02 70 02 02 07 03'));
    expect(noninDf2.commands?.({ select: 'extended' })).toEqual({ start: hex('02 70 04 02 02 21 99 03') });
    expect(noninDf8.commands?.({ select: 'extended' })).toEqual({ start: hex('02 70 04 02 08 20 9E 03') });
    expect(noninDf13.commands?.({ select: 'extended' })).toEqual({ start: hex('02 70 04 02 0D 40 C3 03') });
    expect(() => noninDf7.carries({ select: 'yes' })).toThrow(/option select/);
  });
});

describe('nonin-df7', () => {
  const PACKET = hex(`
    817F000101 807F252C50 807F4A61AA 807F6F309E 807F940093 807FB91AD2 807FDE2B08 8080030003
    8080286189 82804D61B0 82807261D5 8280970099 8280BC00BE 8280E101E4 8281062C35 82812B618F
    82815061B4 8281750078 82819A009D 8281BF01C3 8281E42C13 808209010C 80822E2C5C 8082530055
    808278007A`);
  const NEXT = PACKET.subarray(0, 5);

  it('[SYN] a whole packet', () => {
    const events = decode(noninDf7, {}, PACKET, NEXT);
    expect(numbers(events, 'sample')).toEqual([...Array.from({ length: 25 }, (_, n) => 0x7f00 + 37 * n), 0x7f00]);
    expect(numbers(events, 'heartRate')).toEqual([172]);
    expect(numbers(events, 'spo2')).toEqual([97]);
    expect(reasons(events)).toEqual([]);
    const beat = events.findIndex((event) => event[0] === 'beat');
    expect(numbers(events.slice(0, beat), 'sample')).toHaveLength(9);
    expect(events.filter((event) => event[0] === 'beat')).toHaveLength(1);
  });

  it('believes no frame before three in a row are right', () => {
    expect(numbers(decode(noninDf7, {}, PACKET.subarray(0, 14)), 'sample')).toEqual([]);
    expect(numbers(decode(noninDf7, {}, PACKET.subarray(0, 15)), 'sample')).toHaveLength(3);
  });

  it('counts a broken frame between right ones as one lost sample', () => {
    const broken = Uint8Array.from(PACKET);
    broken[22]! ^= 0x10;
    const events = decode(noninDf7, {}, broken, NEXT);
    expect(numbers(events, 'lost')).toEqual([1]);
    expect(numbers(events, 'sample')).toHaveLength(25);
    expect(numbers(events, 'heartRate')).toEqual([]);
    expect(reasons(events)).toEqual(['checksum']);
  });

  it('passes over an answer to a command between two frames', () => {
    const events = decode(noninDf7, {}, PACKET, NEXT, hex('06'), PACKET.subarray(5), NEXT);
    expect(numbers(events, 'sample')).toHaveLength(51);
    expect(reasons(events)).toEqual(['framing']);
  });
});

describe('nonin-df8', () => {
  it('[SYN] rate and SpO2, a rate above 127, and nothing with the finger off', () => {
    expect(decode(noninDf8, {}, hex('80486100 812C6100 A37F7F08'))).toEqual([
      ['contact', true],
      ['heartRate', 72],
      ['spo2', 97],
      ['frame'],
      ['contact', true],
      ['heartRate', 172],
      ['spo2', 97],
      ['frame'],
      ['contact', false],
      ['heartRate', Number.NaN],
      ['spo2', Number.NaN],
      ['frame'],
    ]);
  });

  it('takes numbers held from before, with the alarm set, for none', () => {
    expect(numbers(decode(noninDf8, {}, hex('80486108 80486108')), 'heartRate')).toEqual([Number.NaN, Number.NaN]);
  });

  it('wants two records in a row before it believes one, and refuses impossible ones', () => {
    expect(decode(noninDf8, {}, hex('80486100'))).toEqual([]);
    expect(numbers(decode(noninDf8, {}, hex('80486100 80486100')), 'heartRate')).toEqual([72, 72]);
    const events = decode(noninDf8, {}, hex('80486100 80486100 82486100 80487000 80486100 80486100'));
    expect(numbers(events, 'heartRate')).toEqual([72, 72, 72, 72]);
    expect(reasons(events)).toContain('out-of-range');
  });

  it('writes what was put in', () => {
    const bytes = encode(noninDf8, {}, (sink) => {
      sink.heartRate(172);
      sink.spo2(97);
      sink.frame();
      sink.contact(false);
      sink.frame();
    });
    expect(bytes).toEqual(Buffer.from(hex('812C6100 A37F7F08')));
  });
});

describe('nonin-df1', () => {
  it('[SYN] three bytes', () => {
    const events = decode(noninDf1, {}, hex('804861 804861'));
    expect(numbers(events, 'heartRate')).toEqual([72, 72]);
    expect(numbers(events, 'spo2')).toEqual([97, 97]);
  });

  it('tells a sensor that is off', () => {
    expect(decode(noninDf1, {}, hex('804861 C37F7F')).at(-4)).toEqual(['contact', false]);
  });
});

describe('nonin-df13', () => {
  const RECORD = hex('00 02 00 0D 00 0E 20 24 02 29 13 45 30 00 02 00 00 48 00 61 A2 03');

  it('[SYN] a spot check', () => {
    expect(decode(noninDf13, {}, RECORD)).toEqual([
      ['deviceTime', Date.UTC(2024, 1, 29, 13, 45, 30)],
      ['contact', true],
      ['heartRate', 72],
      ['spo2', 97],
      ['frame'],
    ]);
  });

  it('refuses every flipped bit', () => {
    for (let bit = 0; bit < 8 * RECORD.length; bit++) {
      const flipped = Uint8Array.from(RECORD);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(numbers(decode(noninDf13, {}, flipped, RECORD), 'heartRate').length, `bit ${bit}`).toBeLessThan(2);
    }
  });

  function changed(...changes: readonly (readonly [number, number])[]): Uint8Array {
    const bytes = Uint8Array.from(RECORD);
    for (const [at, value] of changes) bytes[at] = value;
    bytes[20] = bytes.subarray(6, 20).reduce((sum, byte) => sum + byte, 0);
    return bytes;
  }

  it('says nothing of a record from the memory, and no numbers where none was measured', () => {
    expect(decode(noninDf13, {}, changed([15, 0x10]))).toEqual([['frame']]);
    const none = decode(noninDf13, {}, changed([14, 0x01]));
    expect(numbers(none, 'heartRate')).toEqual([Number.NaN]);
    expect(none).toContainEqual(['contact', false]);
  });

  it('reads the ninth bit of the rate, and appended bytes', () => {
    expect(numbers(decode(noninDf13, {}, changed([16, 1], [17, 0x2c])), 'heartRate')).toEqual([300]);
    expect(reasons(decode(noninDf13, {}, changed([16, 1], [17, 0x90])))).toEqual(['out-of-range']);
    const longer = Uint8Array.from([...RECORD.subarray(0, 5), 16, ...RECORD.subarray(6, 20), 1, 2, 0xa5, 3]);
    expect(numbers(decode(noninDf13, {}, longer), 'heartRate')).toEqual([72]);
  });

  it('writes the vector', () => {
    const bytes = encode(noninDf13, {}, (sink) => {
      sink.deviceTime(Date.UTC(2024, 1, 29, 13, 45, 30));
      sink.heartRate(72);
      sink.spo2(97);
      sink.frame();
    });
    expect(bytes).toEqual(Buffer.from(RECORD));
  });
});

describe('nonin-ascii', () => {
  it('[SYN] plain, with the time, without values, with marks', () => {
    const text = 'SPO2=097 HR=072\r\n13:45:30 SPO2=--- HR=---\r\n13:45:31 SPO2=098 HR=071 *\r\nSPO2=097 HR=072 F\r\n';
    const events = decodeText(noninAscii, text);
    expect(numbers(events, 'spo2')).toEqual([97, Number.NaN, 98, 97]);
    expect(numbers(events, 'heartRate')).toEqual([72, Number.NaN, 71, 72]);
    expect(numbers(events, 'deviceTime')).toEqual([49_530_000, 49_531_000]);
    expect(reasons(events)).toEqual([]);
  });

  it.each([
    ['MODEL 9600 12/31/24', 'unknown'],
    ['SPO2=097 HR=72', 'unknown'],
    ['SPO2=101 HR=072', 'out-of-range'],
    ['SPO2=097 HR=400', 'out-of-range'],
    ['25:00:00 SPO2=097 HR=072', 'out-of-range'],
  ])('drops %s', (line, reason) => {
    expect(reasons(decodeText(noninAscii, `${line}\r\n`))).toEqual([reason]);
  });

  it('writes the lines of the vectors', () => {
    const bytes = encode(noninAscii, {}, (sink) => {
      sink.heartRate(72);
      sink.spo2(97);
      sink.frame();
      sink.deviceTime(49_530_000);
      sink.heartRate(Number.NaN);
      sink.spo2(Number.NaN);
      sink.frame();
    });
    expect(bytes.toString()).toBe('\r\nSPO2=097 HR=072\r\n13:45:30 SPO2=--- HR=---\r\n');
  });
});
