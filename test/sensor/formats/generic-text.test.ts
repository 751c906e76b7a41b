import { describe, expect, it } from 'vitest';
import type { FormatOptions } from '../../../src/domain/reading.js';
import { genericText } from '../../../src/sensor/formats/generic-text.js';
import { nmeaBody, nmeaChecksum } from '../../../src/sensor/formats/nmea.js';
import { decodeText, type Event, encode, reasons } from './recorder.js';

/** Readings of one line, without the `frame` that ends each. */
function read(line: string, options: FormatOptions = {}): Event[] {
  const events = decodeText(genericText, `${line}\n`, options);
  expect(events.at(-1)).toEqual(['frame']);
  return events.slice(0, -1);
}

function refused(line: string, options: FormatOptions = {}): string {
  const events = decodeText(genericText, `${line}\n`, options);
  expect(events).toHaveLength(1);
  return reasons(events)[0]!;
}

describe('generic-text: named values', () => {
  it.each([
    ['BPM: 72', [['heartRate', 72]]],
    ['BPM=72', [['heartRate', 72]]],
    [
      'Heart rate:72.34bpm / SpO2:97%',
      [
        ['heartRate', 72.34],
        ['spo2', 97],
      ],
    ],
    ['HR: 72 bpm', [['heartRate', 72]]],
    [
      'BPM: 72SaO2: 97%',
      [
        ['heartRate', 72],
        ['spo2', 97],
      ],
    ],
    ['Pulse=72', [['heartRate', 72]]],
    ['Rate: 72', [['heartRate', 72]]],
    ['heart rate: 72', [['heartRate', 72]]],
    ['+HRM:72', [['heartRate', 72]]],
    ['B72', [['heartRate', 72]]],
    ['Q833', [['rr', 833]]],
    ['IR=50123, BPM=72.50, Avg BPM=71', [['heartRate', 72.5]]],
    [
      'bpm: 72; ibi: 833 ms; battery: 88',
      [
        ['heartRate', 72],
        ['battery', 88],
        ['rr', 833],
      ],
    ],
    ['RR: 0.833', [['rr', 833]]],
    ['RR: 1.5 s', [['rr', 1500]]],
    ['RR: 9 ms', [['rr', 9]]],
    [
      'HR=-999, SpO2=-999',
      [
        ['heartRate', Number.NaN],
        ['spo2', Number.NaN],
      ],
    ],
    ['BPM: nan', [['heartRate', Number.NaN]]],
    ['BPM: -1', [['heartRate', Number.NaN]]],
    ['contact: 0', [['contact', false]]],
    ['Beat: 1, RR: 800', [['beat'], ['rr', 800]]],
  ] as [string, Event[]][])('[DOC] %s', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it.each(['♥ Beat!', 'Beat!', '* Heartbeat *', '♥  A HeartBeat Happened ! '])('[DOC] a beat alone: %s', (line) => {
    expect(read(line)).toEqual([['beat']]);
  });

  it.each(['512', 'S:2048', 'signal=612', 'Signal 613'])('[TEST] %s', (line) => {
    const options: FormatOptions = line === '512' ? { columns: 'signal' } : { waveform: 'ppg', adcBits: 12 };
    expect(read(line, options)).toEqual([['sample', Number(/\d+/.exec(line)![0])]]);
  });

  it('refuses what is not wholly understood', () => {
    expect(refused('BPM: 12abc')).toBe('not-a-number');
    expect(refused('BPM: 72 garbage')).toBe('not-a-number');
    expect(refused('BPM: 1.2.3')).toBe('not-a-number');
    expect(refused('BPM: 72, RR:')).toBe('not-a-number');
    expect(refused('BPM: 700')).toBe('out-of-range');
    expect(refused('SpO2: 101')).toBe('out-of-range');
    expect(refused('RR: 70000')).toBe('out-of-range');
    expect(refused('BPM: -5')).toBe('out-of-range');
    expect(refused('beat: 2')).toBe('out-of-range');
    expect(refused('temp: 36.5')).toBe('unknown');
    expect(refused('rst:0x1 (POWERON_RESET),boot:0x13')).toBe('unknown');
    expect(refused('We created a pulseSensor Object !')).toBe('unknown');
    expect(refused('72')).toBe('unknown');
    expect(refused('signal=612')).toBe('unknown');
  });

  it('takes hostile lines in their stride', () => {
    const started = process.cpuUsage().user;
    for (const line of [
      'a'.repeat(1000),
      ' a'.repeat(500),
      'a : '.repeat(250),
      'bpm=1,'.repeat(170),
      '1,'.repeat(500),
    ]) {
      decodeText(genericText, `${line}\n`.repeat(50));
    }
    expect(process.cpuUsage(undefined).user - started).toBeLessThan(2e6);
  });
});

describe('generic-text: JSON', () => {
  it('[DOC] {"bpm":72,"ibi":833}', () => {
    expect(read('{"bpm":72,"ibi":833}')).toEqual([
      ['heartRate', 72],
      ['rr', 833],
    ]);
    expect(read('{"heartRate":74,"temperature":38.5}')).toEqual([['heartRate', 74]]);
    expect(read('{"temperature":38.5,"humidity":62.0,"heartRate":74}')).toEqual([['heartRate', 74]]);
  });

  it('[TEST] {"timestampMs":1200,"raw":2048,"bpm":70}', () => {
    const line = '{"timestampMs":1200,"raw":2048,"bpm":70}';
    expect(read(line, { waveform: 'ppg', adcBits: 12 })).toEqual([
      ['deviceTime', 1200],
      ['heartRate', 70],
      ['sample', 2048],
    ]);
  });

  it('tells null as missing, and refuses text where a number belongs', () => {
    expect(read('{"bpm":null,"beat":true}')).toEqual([['heartRate', Number.NaN], ['beat']]);
    expect(refused('{"bpm":"72"}')).toBe('not-a-number');
    expect(refused('{"bpm":72')).toBe('framing');
    expect(refused('{"__proto__":1,"constructor":2}')).toBe('unknown');
    expect(refused('{"bpm":1e999}')).toBe('out-of-range');
  });
});

describe('generic-text: columns', () => {
  const psws1 = { columns: '=PSWS,=1,-,sequence,time,signal,bpm,rr,beat,-,-', adcBits: 12 };
  const psws2 = { columns: `=PSWS,=2,-,sequence,time,signal,bpm,rr,beat${',-'.repeat(9)}`, adcBits: 12 };
  const pswsReadings: Event[] = [['deviceTime', 12345], ['heartRate', 72], ['beat'], ['rr', 833], ['sample', 2840]];

  it('[TEST] PSWS version 1', () => {
    expect(read('PSWS,1,SIM,42,12345,2840,72,833,1,12,QUALIFIED', psws1)).toEqual(pswsReadings);
  });

  it('[TEST] PSWS version 2', () => {
    const line = 'PSWS,2,LIVE,42,12345,2840,72,833,1,12,QUALIFIED,550,470,760,86,1,0,1';
    expect(read(line, psws2)).toEqual(pswsReadings);
  });

  it('[TEST] refuses PSWS version 3 and 70000', () => {
    expect(refused('PSWS,3,SIM,42,12345,2840,72,833,1,12,QUALIFIED', psws1)).toBe('unknown');
    expect(refused('70000', { columns: 'signal', adcBits: 16 })).toBe('out-of-range');
  });

  it.each([
    [
      '1847,72,833,1',
      { columns: 'signal,bpm,rr,beat', adcBits: 12 },
      [['heartRate', 72], ['beat'], ['rr', 833], ['sample', 1847]],
    ],
    [
      '1847,72,833,0',
      { columns: 'signal,bpm,rr,beat', adcBits: 12 },
      [
        ['heartRate', 72],
        ['sample', 1847],
      ],
    ],
    [
      '1200,2048',
      { columns: 'time,signal', adcBits: 12 },
      [
        ['deviceTime', 1200],
        ['sample', 2048],
      ],
    ],
  ] as [string, FormatOptions, Event[]][])('[TEST] %s', (line, options, expected) => {
    expect(read(line, options)).toEqual(expected);
  });

  it.each([
    ['512', { columns: 'signal' }, [['sample', 512]]],
    ['72', { columns: 'bpm' }, [['heartRate', 72]]],
    ['72.5', { columns: 'bpm' }, [['heartRate', 72.5]]],
    ['-3', { columns: 'ecg', min: -512, max: 511 }, [['sample', -3]]],
    [
      '72,833,512',
      { columns: 'bpm,rr,signal' },
      [
        ['heartRate', 72],
        ['sample', 512],
      ],
    ],
    [
      '72,97',
      { columns: 'bpm,spo2' },
      [
        ['heartRate', 72],
        ['spo2', 97],
      ],
    ],
    [
      '72|98',
      { columns: 'bpm,spo2' },
      [
        ['heartRate', 72],
        ['spo2', 98],
      ],
    ],
    [
      '72;98',
      { columns: 'bpm,spo2' },
      [
        ['heartRate', 72],
        ['spo2', 98],
      ],
    ],
    [
      '72\t98',
      { columns: 'bpm,spo2' },
      [
        ['heartRate', 72],
        ['spo2', 98],
      ],
    ],
    [
      '72  98',
      { columns: 'bpm,spo2' },
      [
        ['heartRate', 72],
        ['spo2', 98],
      ],
    ],
    [
      '72,5;0,8',
      { columns: 'bpm,rr', decimalComma: true },
      [
        ['heartRate', 72.5],
        ['rr', 800],
      ],
    ],
    [
      'nan,,512',
      { columns: 'bpm,rr,signal' },
      [
        ['heartRate', Number.NaN],
        ['sample', 512],
      ],
    ],
  ] as [string, FormatOptions, Event[]][])('[DOC] %s', (line, options, expected) => {
    expect(read(line, options)).toEqual(expected);
  });

  it('refuses rows that do not fit', () => {
    const columns = 'bpm,spo2';
    expect(refused('72', { columns })).toBe('framing');
    expect(refused('72,97,1', { columns })).toBe('framing');
    expect(refused('72,97x', { columns })).toBe('not-a-number');
    expect(refused('BPM: 72', { columns })).toBe('not-a-number');
    expect(refused('72,197', { columns })).toBe('out-of-range');
  });

  it('tells gaps of a counter, drops repeated lines, and takes a restart for what it is', () => {
    const options = { columns: 'sequence,signal' };
    expect(
      decodeText(genericText, '7,1\n8,2\n12,3\n12,4\n0,5\n', options).filter((event) => event[0] !== 'frame'),
    ).toEqual([
      ['sample', 1],
      ['sample', 2],
      ['lost', 3],
      ['sample', 3],
      ['dropped', 'sequence', 4],
      ['sample', 5],
    ]);
  });
});

describe('generic-text: NMEA-like sentences', () => {
  it.each([
    '$GPGLL,5300.97914,N,00259.98174,E,125926,A*28',
    '$HRM,72,833*6A',
    '$HRM,12345,72,833,1*6A',
    '$PHRM,0,,,0*07',
  ])('[DOC] checksum of %s', (line) => {
    const body = line.slice(1, line.indexOf('*'));
    expect(nmeaChecksum(body)).toBe(line.slice(-2));
    expect(nmeaBody(line, false)).toBe(body);
    expect(
      nmeaBody(
        line.toLowerCase().slice(-2) === line.slice(-2) ? line : line.slice(0, -2) + line.slice(-2).toLowerCase(),
        false,
      ),
    ).toBe(body);
  });

  it('[DOC] rate and interval; time and contact with them; nothing at all', () => {
    expect(read('$HRM,72,833*6A')).toEqual([
      ['heartRate', 72],
      ['rr', 833],
    ]);
    expect(read('$HRM,12345,72,833,1*6A')).toEqual([
      ['deviceTime', 12345],
      ['contact', true],
      ['heartRate', 72],
      ['rr', 833],
    ]);
    expect(read('$PHRM,0,,,0*07')).toEqual([
      ['deviceTime', 0],
      ['contact', false],
      ['heartRate', Number.NaN],
    ]);
  });

  it('refuses wrong, foreign and unchecked sentences', () => {
    expect(refused('$HRM,72,834*6A')).toBe('checksum');
    expect(refused('$GPGLL,5300.97914,N,00259.98174,E,125926,A*28')).toBe('unknown');
    expect(refused('$HRM,72,833')).toBe('checksum');
    expect(read('$HRM,72,833', { checksum: 'optional' })).toEqual([
      ['heartRate', 72],
      ['rr', 833],
    ]);
    expect(refused(`$HRM,7x,833*${nmeaChecksum('HRM,7x,833')}`)).toBe('not-a-number');
    expect(refused(`$HRM,72*${nmeaChecksum('HRM,72')}`)).toBe('framing');
    expect(refused(`$HRM,900,833*${nmeaChecksum('HRM,900,833')}`)).toBe('out-of-range');
  });

  it('reads its fields by the configured columns', () => {
    const body = 'ABC,97,72';
    expect(read(`$${body}*${nmeaChecksum(body)}`, { columns: 'spo2,bpm' })).toEqual([
      ['heartRate', 72],
      ['spo2', 97],
    ]);
    expect(refused(`$${body}*00`, { columns: 'spo2,bpm' })).toBe('checksum');
  });
});

describe('generic-text: what the simulator writes', () => {
  const written = (options: FormatOptions) =>
    Buffer.from(
      encode(genericText, options, (sink) => {
        sink.contact(true);
        sink.heartRate(72);
        sink.rr(833);
        sink.sample(512);
        sink.frame();
      }),
    ).toString();

  it.each([
    [{}, '\r\ncontact: 1, BPM: 72, RR: 833 ms\r\n'],
    [{ style: 'json' }, '\r\n{"contact":1,"BPM":72,"RR":833}\r\n'],
    [{ style: 'nmea' }, '\r\n$HRM,,72,833,1*5B\r\n'],
    [{ waveform: 'ecg' }, '\r\ncontact: 1, BPM: 72, RR: 833 ms, signal: 512\r\n'],
    [{ columns: 'bpm,rr,signal' }, '\r\n72,833,512\r\n'],
    [{ columns: 'bpm,rr', decimalComma: true, unit: 's' }, '\r\n72;0,833\r\n'],
  ] as [FormatOptions, string][])('%j', (options, expected) => {
    expect(written(options)).toBe(expected);
  });
});
