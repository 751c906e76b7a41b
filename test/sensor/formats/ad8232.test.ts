import { describe, expect, it } from 'vitest';
import { ad8232 } from '../../../src/sensor/formats/ad8232.js';
import { decode, decodeText, encode, numbers, reasons } from './recorder.js';

describe('ad8232', () => {
  it('[SYN] samples, leads off twice, a sample', () => {
    expect(decodeText(ad8232, '512\r\n530\r\n!\r\n!\r\n498\r\n')).toEqual([
      ['contact', true],
      ['sample', 512],
      ['frame'],
      ['contact', true],
      ['sample', 530],
      ['frame'],
      ['contact', false],
      ['frame'],
      ['contact', false],
      ['frame'],
      ['contact', true],
      ['sample', 498],
      ['frame'],
    ]);
  });

  it('[SYN] drops a first line, which may be cut', () => {
    const events = decode(ad8232, {}, Buffer.from('12\r\n530\r\n'));
    expect(events[0]).toEqual(['dropped', 'first-line', 2]);
    expect(numbers(events, 'sample')).toEqual([530]);
  });

  it.each(['\r\n', '\n', '\r'])('takes lines ended by %j', (end) => {
    expect(numbers(decodeText(ad8232, `1${end}2${end}`), 'sample')).toEqual([1, 2]);
  });

  it('counts what is no number and what no 10-bit converter can give', () => {
    const events = decodeText(ad8232, '12abc\n1023\n1024\n-1\n5.5\n12 3\n!!\n99999999999\n  7 \n');
    expect(numbers(events, 'sample')).toEqual([1023, 7]);
    expect(reasons(events)).toEqual([
      'not-a-number',
      'out-of-range',
      'out-of-range',
      'not-a-number',
      'not-a-number',
      'not-a-number',
      'not-a-number',
    ]);
  });

  it('takes 12-bit values where configured', () => {
    expect(numbers(decodeText(ad8232, '4095\n4096\n', { adcBits: 12 }), 'sample')).toEqual([4095]);
  });

  it('drops a line that never ends, in pieces', () => {
    const events = decodeText(ad8232, `${'5'.repeat(10_000)}\n6\n`);
    expect(events.filter((event) => event[0] === 'dropped')).toEqual([
      ['dropped', 'too-long', 4096],
      ['dropped', 'too-long', 4096],
      ['dropped', 'too-long', 1808],
    ]);
    expect(numbers(events, 'sample')).toEqual([6]);
  });

  it('writes what the sketch prints', () => {
    const bytes = encode(ad8232, {}, (sink) => {
      sink.contact(true);
      sink.sample(511.6);
      sink.frame();
      sink.contact(false);
      sink.frame();
      sink.sample(3);
      sink.frame();
      sink.contact(true);
      sink.sample(Number.NaN);
      sink.sample(5000);
    });
    expect(Buffer.from(bytes).toString()).toBe('\r\n512\r\n!\r\n!\r\n!\r\n1023\r\n');
  });

  it('describes the millivolt scale of the board', () => {
    const { waveform } = ad8232.carries({ adcBits: 10, fullScaleVolts: 5, rateHz: 200 });
    expect(waveform).toMatchObject({ rateHz: 200, range: { min: 0, max: 1023 }, nominal: { offset: 512 } });
    // Gain 1100: 1 mV becomes 1.1 V of 5 V.
    expect(waveform!.nominal.perUnit).toBeCloseTo((1.1 / 5) * 1023, 9);
  });
});
