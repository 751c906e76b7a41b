import { describe, expect, it } from 'vitest';
import { bleHrmHex } from '../../../src/sensor/formats/ble-hrm-hex.js';
import { decodeText, type Event, encode, numbers, reasons } from './recorder.js';

const VECTORS: readonly (readonly [string, string, readonly Event[]])[] = [
  ['72', '00 48', [['heartRate', 72]]],
  ['300, 16-bit', '01 2C 01', [['heartRate', 300]]],
  [
    '80, contact',
    '06 50',
    [
      ['contact', true],
      ['heartRate', 80],
    ],
  ],
  [
    '80, no contact: not used',
    '04 50',
    [
      ['contact', false],
      ['heartRate', Number.NaN],
    ],
  ],
  [
    '60, one RR',
    '10 3C 00 04',
    [
      ['heartRate', 60],
      ['rr', 1000],
    ],
  ],
  [
    '72, two RR',
    '10 48 00 04 00 03',
    [
      ['heartRate', 72],
      ['rr', 1000],
      ['rr', 750],
    ],
  ],
  [
    '300, one RR',
    '11 2C 01 00 04',
    [
      ['heartRate', 300],
      ['rr', 1000],
    ],
  ],
  [
    '50, contact, energy saturated, two RR',
    '1E 32 FF FF 00 04 00 02',
    [
      ['contact', true],
      ['heartRate', 50],
      ['rr', 1000],
      ['rr', 500],
    ],
  ],
  [
    '180, energy 500, one RR',
    '1F B4 00 F4 01 55 01',
    [
      ['contact', true],
      ['heartRate', 180],
      ['rr', 341 / 1.024],
    ],
  ],
];

describe('ble-hrm-hex', () => {
  it.each(VECTORS)('[TEST] %s, in every way a bridge writes it', (_name, payload, readings) => {
    const packed = payload.replaceAll(' ', '');
    const expected = [...readings, ['frame']];
    for (const line of [packed, packed.toLowerCase(), payload, `HRM ${packed}`, `HRM ${payload}`]) {
      expect(decodeText(bleHrmHex, `${line}\r\n`)).toEqual(expected);
    }
    expect(decodeText(bleHrmHex, `{"t":123456,"src":"2a37","hex":"${payload}"}\n`)).toEqual([
      ['deviceTime', 123456],
      ...expected,
    ]);
    expect(decodeText(bleHrmHex, `{"hex":"${packed}"}\n`)).toEqual(expected);
  });

  it.each(['00', '01 2C', '10 48 00', '00 48 00', '08 48 01'])('[SYN] refuses %s', (payload) => {
    expect(reasons(decodeText(bleHrmHex, `${payload}\n`))).toEqual(['framing']);
  });

  it('[SYN] refuses an empty payload', () => {
    expect(reasons(decodeText(bleHrmHex, 'HRM \n{"hex":""}\n'))).toEqual(['framing', 'framing']);
  });

  it('[DOC] section 8.3 lines', () => {
    expect(decodeText(bleHrmHex, '{"t":123456,"src":"2a37","hex":"104800040003"}\n')).toEqual([
      ['deviceTime', 123456],
      ['heartRate', 72],
      ['rr', 1000],
      ['rr', 750],
      ['frame'],
    ]);
    expect(reasons(decodeText(bleHrmHex, '{"t":1,"src":"pmd","hex":"00 00943577000000 00 0280FF"}\n'))).toEqual([
      'unknown',
    ]);
    expect(numbers(decodeText(bleHrmHex, 'HRM 104800040003\n'), 'rr')).toEqual([1000, 750]);
    expect(decodeText(bleHrmHex, '$HRM,72,833*6A\r\n')).toEqual([['heartRate', 72], ['rr', 833], ['frame']]);
  });

  it('counts banners, bad JSON, bad checksums and impossible rates', () => {
    const lines = [
      'connected to H10',
      '{"hex":',
      '[1]',
      'null',
      '{"bpm":72}',
      '{"hex":12}',
      '104',
      'zz48',
      '$HRM,72,833*6B',
      '$HRM,72,833',
      '01FFFF',
      '72',
      'ab'.repeat(300),
      '',
    ].join('\n');
    const events = decodeText(bleHrmHex, lines);
    expect(numbers(events, 'heartRate')).toEqual([]);
    expect(reasons(events)).toEqual([
      'not-a-number',
      'framing',
      'not-a-number',
      'not-a-number',
      'unknown',
      'unknown',
      'framing',
      'not-a-number',
      'checksum',
      'checksum',
      'out-of-range',
      'framing',
      'framing',
    ]);
  });

  it('takes only the configured style', () => {
    const lines = '104800040003\nHRM 0048\n$HRM,72,833*6A\n{"hex":"0048"}\n';
    expect(reasons(decodeText(bleHrmHex, lines, { style: 'nmea' }))).toEqual(['unknown', 'unknown', 'unknown']);
    expect(reasons(decodeText(bleHrmHex, lines, { style: 'json' }))).toEqual(['unknown', 'unknown', 'unknown']);
    expect(reasons(decodeText(bleHrmHex, lines))).toEqual([]);
  });

  it('writes each style', () => {
    const written = (style: string) =>
      Buffer.from(
        encode(bleHrmHex, { style }, (sink) => {
          sink.deviceTime(123456);
          sink.heartRate(72);
          sink.rr(1000);
          sink.rr(750);
          sink.frame();
        }),
      )
        .toString()
        .trim();
    expect(written('hex')).toBe('104800040003');
    expect(written('hrm')).toBe('HRM 104800040003');
    expect(written('json')).toBe('{"t":123456,"src":"2a37","hex":"104800040003"}');
    expect(written('nmea')).toBe('$HRM,72,1000*53\r\n$HRM,72,750*60');
  });

  it('sends many intervals in several notifications', () => {
    const rrMs = Array.from({ length: 20 }, (_, i) => 500 + 125 * i);
    const bytes = encode(bleHrmHex, {}, (sink) => {
      sink.contact(true);
      sink.heartRate(300);
      for (const one of rrMs) sink.rr(one);
      sink.frame();
    });
    const events = decodeText(bleHrmHex, Buffer.from(bytes).toString());
    expect(numbers(events, 'rr')).toEqual(rrMs);
    expect(numbers(events, 'heartRate')).toEqual([300, 300, 300]);
  });
});
