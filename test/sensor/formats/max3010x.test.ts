import { describe, expect, it } from 'vitest';
import { max3010x } from '../../../src/sensor/formats/max3010x.js';
import { max30100 } from '../../../src/sensor/formats/max30100.js';
import { max32664 } from '../../../src/sensor/formats/max32664.js';
import { serialSettings } from '../../../src/sensor/formats/registry.js';
import { decodeText, encode, numbers, reasons } from './recorder.js';

describe('max3010x', () => {
  it('[SYN] example 5: the rate of the last beat, not the mean that starts too low', () => {
    expect(decodeText(max3010x, 'IR=102345, BPM=72.46, Avg BPM=71\r\n')).toEqual([
      ['contact', true],
      ['heartRate', 72.46],
      ['sample', 102_345],
      ['frame'],
    ]);
  });

  it('[SYN] example 5 without a finger: no rate', () => {
    expect(decodeText(max3010x, 'IR=1021, BPM=72.46, Avg BPM=71 No finger?\r\n')).toEqual([
      ['contact', false],
      ['heartRate', Number.NaN],
      ['sample', 1021],
      ['frame'],
    ]);
  });

  it('[SYN] example 8: valid and invalid numbers, and the first lines without any', () => {
    const text =
      'red=98021, ir=110340\r\n' +
      'red=98021, ir=110345, HR=75, HRvalid=1, SPO2=98, SPO2Valid=1\r\n' +
      'red=98021, ir=110345, HR=-999, HRvalid=0, SPO2=-999, SPO2Valid=0\r\n';
    const events = decodeText(max3010x, text, { sketch: 'spo2' });
    expect(numbers(events, 'sample')).toEqual([110_340, 110_345, 110_345]);
    expect(numbers(events, 'heartRate')).toEqual([75, Number.NaN]);
    expect(numbers(events, 'spo2')).toEqual([98, Number.NaN]);
    expect(reasons(events)).toEqual([]);
  });

  it('[SYN] examples 1, 6 and 7', () => {
    const text = ' R[10234] IR[20345] G[0]\r\n R[1] IR[2] G[3] Hz[25.00]\r\n R[1] IR[4] G[3] INT!\r\n';
    expect(numbers(decodeText(max3010x, text, { sketch: 'basic' }), 'sample')).toEqual([20_345, 2, 4]);
  });

  it('example 2 tells of a finger, example 4 prints the count alone', () => {
    const presence = decodeText(
      max3010x,
      'IR[51234] Hz[99.50] delta[-3]\r\nIR[81234] Hz[99.50] delta[30000] Something is there!\r\n',
      { sketch: 'presence' },
    );
    expect(presence.filter((event) => event[0] === 'contact').map((event) => event[1])).toEqual([false, true]);
    expect(numbers(decodeText(max3010x, '101234\r\n', { sketch: 'plotter' }), 'sample')).toEqual([101_234]);
  });

  it.each([
    ['Initializing...', 'unknown'],
    ['Place your index finger on the sensor with steady pressure.', 'unknown'],
    ['MAX30105 was not found. Please check wiring/power. ', 'unknown'],
    ['Attach sensor to finger with rubber band. Press any key to start conversion', 'unknown'],
    ['IR=102345, BPM=72.46', 'framing'],
    ['IR=102345, BPM=72.46, Avg BPM=71 No fing', 'framing'],
    ['IR=102345, BPM=72.46, Avg BPM=', 'framing'],
    ['IR=1023.5, BPM=72.46, Avg BPM=71', 'not-a-number'],
    ['IR=262144, BPM=72.46, Avg BPM=71', 'out-of-range'],
    ['IR=1.2.3, BPM=72.46, Avg BPM=71', 'framing'],
  ])('drops %s', (line, reason) => {
    expect(reasons(decodeText(max3010x, `${line}\r\n`))).toEqual([reason]);
  });

  it('takes a rate outside what the sketch itself believes for none', () => {
    const text = 'IR=102345, BPM=0.00, Avg BPM=0\nIR=102345, BPM=312.50, Avg BPM=71\n';
    expect(numbers(decodeText(max3010x, text), 'heartRate')).toEqual([Number.NaN, Number.NaN]);
  });

  it('knows the port settings of each sketch, and wakes the one that waits', () => {
    expect(serialSettings(max3010x, {}).baudRate).toBe(115_200);
    expect(serialSettings(max3010x, { sketch: 'basic' }).baudRate).toBe(9600);
    expect(max3010x.commands?.({})).toEqual({});
    expect(max3010x.commands?.({ sketch: 'spo2' }).start).toHaveLength(1);
  });
});

describe('max30100', () => {
  it('[SYN] a beat and the line of the second', () => {
    expect(decodeText(max30100, 'Beat!\r\nHeart rate:72.34bpm / SpO2:97% / temp:34.50C\r\n')).toEqual([
      ['beat'],
      ['frame'],
      ['heartRate', 72.34],
      ['spo2', 97],
      ['frame'],
    ]);
  });

  it('reads the line of older versions, and 0 as not available', () => {
    const events = decodeText(max30100, 'Heart rate:0.00bpm / SpO2:0%\r\n');
    expect(numbers(events, 'heartRate')).toEqual([0]);
    expect(numbers(events, 'spo2')).toEqual([Number.NaN]);
  });

  it('drops banners and impossible numbers', () => {
    const text =
      'Initializing MAX30100..SUCCESS\r\nHeart rate:500.00bpm / SpO2:97%\r\nHeart rate:72bpm / SpO2:101%\r\n';
    expect(reasons(decodeText(max30100, text))).toEqual(['unknown', 'out-of-range', 'out-of-range']);
  });
});

describe('max32664', () => {
  const RECORD = 'Heartrate: 72\r\nConfidence: 98\r\nOxygen: 97\r\nStatus: 3\r\n';
  const EXTENDED = `${RECORD}Extended Status: 0\r\nBlood Oxygen R value: 0.52\r\n`;
  const READINGS = [['contact', true], ['heartRate', 72], ['spo2', 97], ['frame']];

  it('[SYN] a record of four lines', () => {
    expect(decodeText(max32664, RECORD)).toEqual(READINGS);
  });

  it('[SYN] a record of six lines, with and without the option', () => {
    expect(decodeText(max32664, EXTENDED, { sketch: 'extended' })).toEqual(READINGS);
    expect(decodeText(max32664, EXTENDED + RECORD).filter((event) => event[0] === 'heartRate')).toHaveLength(2);
  });

  it('believes numbers only with a finger and with confidence', () => {
    const read = (text: string, options = {}) => numbers(decodeText(max32664, text, options), 'heartRate');
    expect(read(RECORD.replace('Status: 3', 'Status: 2'))).toEqual([Number.NaN]);
    expect(read(RECORD.replace('98', '49'))).toEqual([Number.NaN]);
    expect(read(RECORD.replace('98', '49'), { minConfidence: 40 })).toEqual([72]);
    expect(read(EXTENDED.replace('Status: 0', 'Status: -3'), { sketch: 'extended' })).toEqual([Number.NaN]);
  });

  it('never mixes two records', () => {
    const cut = 'Heartrate: 150\r\nConfidence: 98\r\n';
    expect(numbers(decodeText(max32664, cut + RECORD), 'heartRate')).toEqual([72]);
    expect(reasons(decodeText(max32664, 'Oxygen: 97\r\nStatus: 3\r\n'))).toEqual(['framing']);
    expect(reasons(decodeText(max32664, RECORD.replace('97', '130')))).toEqual(['out-of-range']);
  });

  it('drops banners, and knows the marks of one public variant', () => {
    const banners =
      'Sensor started!\r\nConfiguring Sensor....\r\nLoading up the buffer with data....\r\nDATA_BEGIN\r\nDATA_END\r\n';
    expect(reasons(decodeText(max32664, banners))).toEqual(['unknown', 'unknown', 'unknown']);
  });

  it('example 5: two numbers a line', () => {
    const events = decodeText(max32664, '72,97\r\n0,0\r\n401,97\r\n', { sketch: 'fast' });
    expect(numbers(events, 'heartRate')).toEqual([72, 0]);
    expect(numbers(events, 'spo2')).toEqual([97, Number.NaN]);
    expect(reasons(events)).toEqual(['out-of-range']);
  });

  it('writes the record of the vectors', () => {
    const bytes = encode(max32664, { sketch: 'extended' }, (sink) => {
      sink.heartRate(72);
      sink.spo2(97);
      sink.frame();
    });
    expect(bytes.toString()).toBe(`\r\n${EXTENDED}`);
  });
});
