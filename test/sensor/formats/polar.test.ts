import { describe, expect, it } from 'vitest';
import { polarEcgHex } from '../../../src/sensor/formats/polar-ecg-hex.js';
import { polarHrmi } from '../../../src/sensor/formats/polar-hrmi.js';
import { decodeText, encode, numbers, reasons } from './recorder.js';

/** A captured head and first samples, filled up with zeros to the 73 samples of a whole frame. */
function filled(head: string): string {
  return head.replaceAll(' ', '').padEnd(2 * (10 + 3 * 73), '0');
}

describe('polar-ecg-hex', () => {
  it('[TEST] two samples of the SDK', () => {
    const events = decodeText(polarEcgHex, '00 00 94 35 77 00 00 00 00 00 02 80 FF 02 80 00\n');
    expect(numbers(events, 'sample')).toEqual([-32_766, 32_770]);
    expect(numbers(events, 'deviceTime')[0]).toBeCloseTo(2000 - 1000 / 130, 6);
  });

  it('[CAP] two frames in a row: 560.81 ms apart, nothing lost', () => {
    const first = filled('00 91 F7 70 AA 30 49 52 08 00 7A 00 00 67 00 00 83 00 00 AC 00 00');
    const second = filled('00 7C 3B DE CB 30 49 52 08 00 EE FF FF F5 FF FF');
    const events = decodeText(polarEcgHex, `${first}\n${second}\n`);
    const samples = numbers(events, 'sample');
    expect(samples.slice(0, 4)).toEqual([122, 103, 131, 172]);
    expect(samples.slice(73, 75)).toEqual([-18, -11]);
    expect(numbers(events, 'lost')).toEqual([]);
    const [one, two] = numbers(events, 'deviceTime') as [number, number];
    expect(two - one).toBeCloseTo(560.81, 2);
    // 599622173760485265 ns is the last sample of the first frame, in the epoch of 2000-01-01.
    expect(one + (72 * 1000) / 130).toBeCloseTo(599_622_173_760.485, 2);
    expect(new Date(Date.UTC(2000, 0, 1) + one + (72 * 1000) / 130).toISOString()).toBe('2019-01-01T01:42:53.760Z');
  });

  it('[CAP] a later frame: what is between is lost', () => {
    const first = filled('00 91 F7 70 AA 30 49 52 08 00 7A 00 00');
    const later = filled('00 AA 9A 93 51 31 49 52 08 00 75 00 00 73 00 00 63 00 00 5E 00 00');
    const events = decodeText(polarEcgHex, `${first}\n${later}\n`);
    expect(numbers(events, 'sample').slice(73, 77)).toEqual([117, 115, 99, 94]);
    // 2.8037 s are 364.5 samples, of which 73 came.
    const lost = numbers(events, 'lost');
    expect(lost).toHaveLength(1);
    expect(Math.abs(lost[0]! - 4 * 73)).toBeLessThanOrEqual(2);
  });

  it('[SYN] the whole range of 24 bits', () => {
    const line = '00 91 F7 70 AA 30 49 52 08 00 FF FF FF 00 00 00 01 00 00 00 00 80 FF FF 7F DC 05 00\n';
    expect(numbers(decodeText(polarEcgHex, line), 'sample')).toEqual([-1, 0, 1, -8_388_608, 8_388_607, 1500]);
  });

  it('[DOC] the JSON line of a bridge, with blanks in the hex', () => {
    const line = '{"t":123456,"src":"pmd","hex":"00 0094357700000000 00 0280FF 028000"}\n';
    expect(numbers(decodeText(polarEcgHex, line), 'sample')).toEqual([-32_766, 32_770]);
    expect(numbers(decodeText(polarEcgHex, `PMD ${filled('00')}\n`), 'sample')).toHaveLength(73);
  });

  it.each([
    ['another kind of measurement', '02 00 94 35 77 00 00 00 00 00 02 80 FF', 'unknown'],
    ['another frame type', '00 00 94 35 77 00 00 00 00 01 02 80 FF', 'unknown'],
    ['a cut sample', '00 00 94 35 77 00 00 00 00 00 02 80', 'framing'],
    ['no sample', '00 00 94 35 77 00 00 00 00 00', 'framing'],
    ['half a byte', '00 00 94 35 77 00 00 00 00 00 02 80 F', 'framing'],
    ['something else', 'hello', 'not-a-number'],
    ['broken JSON', '{"hex":"00', 'framing'],
    ['a heart-rate notification', '{"src":"2a37","hex":"0048"}', 'unknown'],
    ['a number as JSON', '{"hex":5}', 'unknown'],
  ])('refuses %s', (_name, line, reason) => {
    expect(reasons(decodeText(polarEcgHex, `${line}\n`))).toEqual([reason]);
  });

  it('writes frames of 73 samples, 73/130 s apart', () => {
    const text = encode(polarEcgHex, { style: 'hex' }, (sink) => {
      for (let i = 0; i < 146; i++) sink.sample(i - 50);
    }).toString();
    const events = decodeText(polarEcgHex, text);
    const [one, two] = numbers(events, 'deviceTime') as [number, number];
    expect(two - one).toBeCloseTo((73 * 1000) / 130, 2);
    expect(numbers(events, 'sample').slice(0, 2)).toEqual([-50, -49]);
  });
});

describe('polar-hrmi', () => {
  it('[DOC] replies without and with rates', () => {
    const events = decodeText(polarHrmi, '1 1\r3 122 0 0 0\r3 123 72 71 70\r');
    expect(numbers(events, 'heartRate')).toEqual([0, 72]);
    expect(reasons(events)).toEqual([]);
  });

  it('drops what is no reply', () => {
    expect(reasons(decodeText(polarHrmi, 'HRMI\r3 300 72\r3 1 x\r'))).toEqual(['unknown', 'out-of-range', 'unknown']);
  });

  it('calls a rate old when the beat counter stands still', () => {
    const rates = numbers(decodeText(polarHrmi, '3 7 72\r'.repeat(7)), 'heartRate');
    expect(rates).toEqual([72, 72, 72, 72, 72, Number.NaN, Number.NaN]);
  });

  it('is asked once a second', () => {
    const commands = polarHrmi.commands?.({});
    expect(Buffer.from(commands?.keepAlive?.bytes ?? []).toString()).toBe('G1\r');
    expect(commands?.keepAlive?.everyMs).toBe(1000);
    expect(Buffer.from(commands?.start ?? []).toString()).toBe('S1\rG1\r');
  });
});
