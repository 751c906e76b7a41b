import { describe, expect, it } from 'vitest';
import { pulsesensorPlotter } from '../../../src/sensor/formats/pulsesensor-plotter.js';
import { pulsesensorProcessing } from '../../../src/sensor/formats/pulsesensor-processing.js';
import { decodeText, encode, numbers, reasons } from './recorder.js';

describe('pulsesensor-plotter', () => {
  it('[SYN] bpm 72, ibi 833, signal 512', () => {
    expect(decodeText(pulsesensorPlotter, '72,833,512\r\n', { rrOnChange: true })).toEqual([
      ['heartRate', 72],
      ['rr', 833],
      ['sample', 512],
      ['frame'],
    ]);
  });

  it('[SYN] no pulse: rate 0, and its interval means nothing', () => {
    expect(decodeText(pulsesensorPlotter, '0,600,498\r\n', { rrOnChange: true })).toEqual([
      ['heartRate', 0],
      ['sample', 498],
      ['frame'],
    ]);
  });

  it('tells a repeated interval once, and only where asked to', () => {
    const lines = '72,833,1\n72,833,2\n72,840,3\n0,600,4\n72,840,5\n';
    expect(numbers(decodeText(pulsesensorPlotter, lines, { rrOnChange: true }), 'rr')).toEqual([833, 840, 840]);
    expect(numbers(decodeText(pulsesensorPlotter, lines), 'rr')).toEqual([]);
  });

  it('counts lines that are not three numbers in range', () => {
    const lines = '72,833\n512\n72,833,512,1\n72,8x3,512\n72,,512\n72,833,1024\n999,833,512\n72,-1,512\n!\n';
    const events = decodeText(pulsesensorPlotter, lines);
    expect(numbers(events, 'sample')).toEqual([]);
    expect(reasons(events)).toEqual([
      'framing',
      'framing',
      'not-a-number',
      'not-a-number',
      'not-a-number',
      'out-of-range',
      'out-of-range',
      'out-of-range',
      'framing',
    ]);
  });

  it('writes what the library prints', () => {
    const bytes = encode(pulsesensorPlotter, {}, (sink) => {
      sink.sample(500);
      sink.heartRate(72);
      sink.sample(501);
      sink.rr(840);
      sink.sample(Number.NaN);
      sink.heartRate(Number.NaN);
      sink.sample(503);
    });
    expect(Buffer.from(bytes).toString()).toBe('\r\n0,600,500\r\n72,833,501\r\n72,840,512\r\n0,600,503\r\n');
  });
});

describe('pulsesensor-processing', () => {
  it('[SYN] samples with a beat between', () => {
    expect(decodeText(pulsesensorProcessing, 'S512\r\nS530\r\nB72\r\nQ833\r\nS541\r\n')).toEqual([
      ['sample', 512],
      ['frame'],
      ['sample', 530],
      ['frame'],
      ['heartRate', 72],
      ['beat'],
      ['frame'],
      ['rr', 833],
      ['frame'],
      ['sample', 541],
      ['frame'],
    ]);
  });

  const pair = 'a512\r\nb498\r\nA72\r\nM833\r\nB71\r\nN845\r\n|105\r\n';

  it('[SYN] first of two sensors', () => {
    expect(decodeText(pulsesensorProcessing, pair, { sensors: 2 })).toEqual([
      ['sample', 512],
      ['frame'],
      ['heartRate', 72],
      ['beat'],
      ['frame'],
      ['rr', 833],
      ['frame'],
    ]);
  });

  it('[SYN] second of two sensors, whose B is a rate of its own', () => {
    expect(decodeText(pulsesensorProcessing, pair, { sensors: 2, sensor: 1 })).toEqual([
      ['sample', 498],
      ['frame'],
      ['heartRate', 71],
      ['beat'],
      ['frame'],
      ['rr', 845],
      ['frame'],
    ]);
  });

  it('[TEST] B72 and Q833 on their own', () => {
    expect(numbers(decodeText(pulsesensorProcessing, 'B72\nQ833\n'), 'rr')).toEqual([833]);
  });

  it('takes rate 0 for no pulse, not for a beat', () => {
    expect(decodeText(pulsesensorProcessing, 'B0\n')).toEqual([['heartRate', 0], ['frame']]);
  });

  it('counts the fault mark, two-sensor lines of a single sensor, and nonsense', () => {
    const events = decodeText(pulsesensorProcessing, '!\na512\nS5x\nS\nS1024\nB401\nQ-3\nBanner\n');
    expect(events.every((event) => event[0] === 'dropped')).toBe(true);
    expect(reasons(events)).toEqual([
      'unknown',
      'unknown',
      'not-a-number',
      'not-a-number',
      'out-of-range',
      'out-of-range',
      'out-of-range',
      'not-a-number',
    ]);
  });

  it('refuses a sensor that is not there', () => {
    expect(() => pulsesensorProcessing.carries({ sensors: 1, sensor: 1 })).toThrow(/option sensor: 1/);
  });

  it('takes an interval of 0 ms for none (found by fuzzing)', () => {
    const events = decodeText(pulsesensorProcessing, 'Q0\r\nQ833\r\n');
    expect(numbers(events, 'rr')).toEqual([833]);
    expect(reasons(events)).toEqual(['out-of-range']);
  });

  it('writes rate and interval at a beat, ahead of its sample', () => {
    const bytes = encode(pulsesensorProcessing, {}, (sink) => {
      sink.sample(1);
      sink.rr(833);
      sink.beat();
      sink.heartRate(72);
      sink.sample(2);
      sink.beat();
      sink.frame();
    });
    expect(Buffer.from(bytes).toString()).toBe('\r\nS1\r\nB72\r\nQ833\r\nS2\r\nB72\r\n');
  });
});
