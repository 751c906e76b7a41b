import { describe, expect, it } from 'vitest';
import { bitalino } from '../../../src/sensor/formats/bitalino.js';
import { openbciCyton } from '../../../src/sensor/formats/openbci-cyton.js';
import { shimmer3 } from '../../../src/sensor/formats/shimmer3.js';
import { decode, encode, hex, numbers, reasons } from './recorder.js';

describe('openbci-cyton', () => {
  const captured = (number: string) =>
    hex(`A0 ${number} 8FF240 8FDFF4 902BB6 8FBFBF 7FFFFF 7FFFFF 942534 20B67D 00E0 00E0 0F70 C0`);
  const FIRST = hex(
    'A0 01 00 00 01 FF FF FF 7F FF FF 80 00 00 00 AE C3 FF 51 3D 00 00 00 00 03 E8 00 E0 FF 20 1F 40 C0',
  );
  const SECOND = hex(
    'A0 02 00 00 01 FF FF FF 7F FF FF 80 00 00 00 AE C3 FF 51 3D 00 00 00 00 03 E8 58 01 00 01 E2 40 C3',
  );

  it.each([
    [1, -7_343_552, -164.141198],
    [2, -7_348_236, -164.245893],
    [5, 8_388_607, 187.5],
    [8, 2_143_869, 47.919212],
  ])('[CAP] channel %i', (channel, count, mV) => {
    const events = decode(openbciCyton, { channel }, captured('00'), captured('01'));
    expect(numbers(events, 'sample')).toEqual([count, count]);
    const perUnit = openbciCyton.carries({ channel }).waveform?.nominal.perUnit ?? 0;
    expect(count / perUnit).toBeCloseTo(mV, 5);
  });

  it('[SYN] all channels of two packets, the second with the time of the board', () => {
    const counts = [1, -1, 8_388_607, -8_388_608, 44_739, -44_739, 0, 1000];
    counts.forEach((count, i) => {
      const events = decode(openbciCyton, { channel: i + 1 }, FIRST, SECOND);
      expect(numbers(events, 'sample')).toEqual([count, count]);
      expect(numbers(events, 'deviceTime')).toEqual([123_456]);
    });
  });

  it('tells lost packets by the sample number, over its wrap', () => {
    const packets = ['FD', 'FE', '01', '02'].map(captured);
    expect(numbers(decode(openbciCyton, {}, ...packets), 'lost')).toEqual([2]);
  });

  it('takes marks inside the data for data', () => {
    const tricky = Uint8Array.from(FIRST);
    tricky[10] = 0xa0;
    tricky[13] = 0xc0;
    const events = decode(openbciCyton, {}, tricky.subarray(5), tricky, SECOND);
    expect(numbers(events, 'sample')).toEqual([1, 1]);
  });

  it('with Daisy reads the half its channel is in, and counts its packets alone', () => {
    const packets = ['01', '02', '03', '04', '07', '08'].map(captured);
    const low = decode(openbciCyton, { daisy: true, channel: 2 }, ...packets);
    expect(numbers(low, 'sample')).toHaveLength(3);
    expect(numbers(low, 'lost')).toEqual([1]);
    const high = decode(openbciCyton, { daisy: true, channel: 10 }, ...packets);
    expect(numbers(high, 'sample')).toHaveLength(3);
    expect(() => openbciCyton.carries({ channel: 9 })).toThrow(/option channel/);
    expect(() => openbciCyton.carries({ gain: 5 })).toThrow(/option gain/);
  });

  it('passes over the text of a reset', () => {
    const text = Buffer.from('OpenBCI V3 8-16 channel\r\nADS1299 Device ID: 0x3E\r\n$$$');
    expect(numbers(decode(openbciCyton, {}, text, FIRST, SECOND), 'sample')).toEqual([1, 1]);
  });

  it('starts and stops', () => {
    expect(openbciCyton.commands?.({})).toEqual({ start: Buffer.from('b'), stop: Buffer.from('s') });
  });
});

describe('bitalino', () => {
  const ALL = ['A1', 'A2', 'A3', 'A4', 'A5', 'A6'];

  /** The vector's frame and three more of the device that follow it in number, so that it is believed. */
  function readAs(frame: Uint8Array, count: number, place: number): number {
    const options = { inputs: ALL.slice(0, count).join(','), signal: ALL[place]! };
    const following = encode(bitalino, options, (sink) => {
      sink.lost(((frame.at(-1)! >> 4) + 1) % 16);
      for (let i = 0; i < 3; i++) sink.sample(1);
    });
    const events = decode(bitalino, options, frame, following);
    expect(reasons(events)).toEqual([]);
    expect(numbers(events, 'lost')).toEqual([]);
    return numbers(events, 'sample')[0]!;
  }

  it.each([
    ['seq 0', '00 08 0E', [512]],
    ['seq 1', 'F0 0A 13', [700]],
    ['seq 2, I1', '00 88 29', [512]],
    ['seq 3', 'FF 03 08 36', [512, 1023]],
    ['seq 9', 'C0 00 02 04 00 91', [1, 2, 3]],
    ['seq 14, all digital inputs', '00 19 4B C8 90 F1 ED', [100, 200, 300, 400]],
    ['seq 15', '40 F8 1F 80 00 FC 5F FE', [1023, 0, 512, 511, 33]],
    ['seq 10', 'C1 DF 04 FA 01 00 A8 A9', [512, 1, 1000, 77, 63, 1]],
  ])('[SYN] %s: %s', (_name, bytes, values) => {
    const frame = hex(bytes);
    expect(values.map((_value, place) => readAs(frame, values.length, place))).toEqual(values);
  });

  it('[SYN] the scale of the ECG sensor', () => {
    const { offset, perUnit } = bitalino.carries({}).waveform!.nominal;
    expect((700 - offset) / perUnit).toBeCloseTo(0.5528 - 0.0015, 3);
  });

  it('writes the vectors', () => {
    const bytes = encode(bitalino, { inputs: 'A1' }, (sink) => {
      sink.sample(512);
      sink.sample(700);
    });
    expect(bytes).toEqual(Buffer.from(hex('00 08 0E F0 0A 13')));
  });

  it('a broken frame is one lost sample, found by the number of the next', () => {
    const bytes = encode(bitalino, {}, (sink) => {
      for (let i = 0; i < 20; i++) sink.sample(500 + i);
    });
    for (let bit = 0; bit < 24; bit++) {
      const broken = Uint8Array.from(bytes);
      broken[24 + (bit >> 3)]! ^= 1 << (bit & 7);
      const events = decode(bitalino, {}, broken);
      expect(numbers(events, 'sample')).toEqual([...Array(20).keys()].filter((i) => i !== 8).map((i) => 500 + i));
      expect(numbers(events, 'lost')).toEqual([1]);
      expect(reasons(events)).toEqual(['checksum']);
    }
  });

  it('frames that never came are told by the number', () => {
    const bytes = encode(bitalino, {}, (sink) => {
      for (let i = 0; i < 30; i++) sink.sample(500 + i);
    });
    const events = decode(bitalino, {}, bytes.subarray(0, 30), bytes.subarray(45));
    expect(numbers(events, 'lost')).toEqual([5]);
    expect(numbers(events, 'sample')).toHaveLength(25);
    expect(reasons(events)).toEqual([]);
  });

  it('[DOC] commands', () => {
    const start = (options: Record<string, string | number>) => bitalino.commands?.(options).start;
    expect(start({})).toEqual(hex('C3 09'));
    expect(start({ inputs: ALL.join(','), rateHz: 100 })).toEqual(hex('83 FD'));
    expect(start({ inputs: 'a2', rateHz: 1 })).toEqual(hex('03 09'));
    expect(start({ rateHz: 10 })).toEqual(hex('43 09'));
    expect(bitalino.commands?.({}).stop).toEqual(hex('00'));
  });

  it.each([
    [{ inputs: 'A7' }, /option inputs/],
    [{ inputs: '' }, /option inputs/],
    [{ inputs: 'A1', signal: 'A2' }, /option signal/],
    [{ rateHz: 250 }, /option rateHz/],
  ])('refuses %j', (options, message) => {
    expect(() => bitalino.carries(options as Record<string, string | number>)).toThrow(message);
  });
});

describe('shimmer3', () => {
  const INQUIRY = hex('FF 02 40 00 01 FF 01 09 01 01 12');
  const FRAMES = [hex('00 DE D0 B2 26 07'), hex('00 1E D1 B2 FC 06'), hex('00 5E D1 B2 00 06')];

  it('[TEST] learns the channels from the inquiry and reads the ADC, with the time of the device', () => {
    const options = { channels: '1E,12', signal: '12' };
    const events = decode(shimmer3, options, INQUIRY, hex('FF'), ...FRAMES);
    expect(numbers(events, 'sample')).toEqual([1830, 1788, 1536]);
    expect(numbers(events, 'deviceTime')[0]).toBeCloseTo(357_632, 0);
    expect(reasons(events)).toEqual([]);
    expect(numbers(events, 'lost')).toEqual([]);
  });

  it('[TEST] the answer to a question about the rate is no frame', () => {
    const events = decode(shimmer3, { channels: '12', signal: '12' }, hex('FF 04 40 00'), ...FRAMES);
    expect(numbers(events, 'sample')).toEqual([1830, 1788, 1536]);
  });

  it('tells lost frames by the time, over its wrap', () => {
    const at = (ticks: number) => Uint8Array.of(0, ticks & 0xff, (ticks >> 8) & 0xff, (ticks >> 16) & 0xff, 1, 0);
    const start = 2 ** 24 - 200;
    const ticks = [0, 64, 128, 320, 384].map((step) => (start + step) % 2 ** 24);
    const events = decode(shimmer3, { channels: '12', signal: '12' }, ...ticks.map(at));
    expect(numbers(events, 'sample')).toHaveLength(5);
    expect(numbers(events, 'lost')).toEqual([2]);
    expect(numbers(events, 'deviceTime')[1]).toBeCloseTo((start + 320) / 32.768, 6);
  });

  it('reads 24 and 16 bits, big-endian and signed', () => {
    const frames = (data: string) =>
      [0, 64, 128].map((step) => hex(`00 ${step.toString(16).padStart(2, '0')} 00 00 ${data}`));
    expect(numbers(decode(shimmer3, { channels: '1D,1E' }, ...frames('80 FF FF FE')), 'sample')).toEqual([-2, -2, -2]);
    const narrow = { channels: '1D,23,24', signal: '24' };
    expect(numbers(decode(shimmer3, narrow, ...frames('80 00 00 80 00')), 'sample')).toEqual(
      Array.from({ length: 3 }, () => -32_768),
    );
  });

  it('does not take an inquiry in the middle of the data for one', () => {
    const frame = (step: number) => Uint8Array.of(0, step & 0xff, step >> 8, 0, 0xff, 0x02);
    const frames = Array.from({ length: 40 }, (_, i) => frame(64 * i));
    expect(numbers(decode(shimmer3, { channels: '12', signal: '12' }, ...frames), 'sample')).toHaveLength(40);
  });

  it.each([
    [{ channels: '1D,99' }, /"99" is not a channel id/],
    [{ channels: '1D' }, /option signal/],
    [{ signal: 'x' }, /option signal/],
    [{ gain: 0 }, /option gain/],
  ])('refuses %j', (options, message) => {
    expect(() => shimmer3.carries(options as Record<string, string | number>)).toThrow(message);
  });

  it('asks for the channels, starts and stops', () => {
    expect(shimmer3.commands?.({})).toEqual({ start: hex('01 07'), stop: hex('20') });
  });
});
