import { describe, expect, it } from 'vitest';
import { noninDf2 } from '../../../src/sensor/formats/nonin-df2.js';
import { decode, type Event, encode, encodeFrames, hex, numbers, reasons } from './recorder.js';

/** 9560 at DF2: the tail of one packet (4 frames), a whole packet, the first frame of the next. */
const CAPTURE = hex(`
  01804900CA 0180464A11 01804400C5 01804300C4
  01814300C5 0180434A0E 0180436024 0180439458 01804300C4 01804100C2 01803E17D6 01803C04C1
  018039601A 0180366017 0180356016 01803400B5 01803400B5 01803400B5 0180354A00 0180366017
  0180376018 01803A00BB 01804000C1 01804A00CB 0180574A22 01806900EA 01807C4A47 0180900011
  0180A10022 0181AF0031`);
const PLETH = [
  73, 70, 68, 67, 67, 67, 67, 67, 67, 65, 62, 60, 57, 54, 53, 52, 52, 52, 53, 54, 55, 58, 64, 74, 87, 105, 124, 144,
  161, 175,
];
/** Start of an OEM III packet: HR 72, SpO2 97, firmware 48. */
const START = hex('0181010083 01800148CA 01800161E3 01800130B2 0180010082');

function frames(...statusAndPleth: readonly (readonly [number, number])[]): Uint8Array {
  return Uint8Array.from(
    statusAndPleth.flatMap(([status, pleth]) => [1, status, pleth, 0, (1 + status + pleth) & 0xff]),
  );
}

function frame(index: number): Uint8Array {
  return CAPTURE.subarray(5 * index, 5 * index + 5);
}

function without(...indexes: readonly number[]): Uint8Array {
  return Buffer.concat(Array.from({ length: 30 }, (_, i) => i).flatMap((i) => (indexes.includes(i) ? [] : [frame(i)])));
}

describe('nonin-df2', () => {
  it('[CAP] 30 frames of a 9560: pleth of all, numbers of the one whole packet', () => {
    const events = decode(noninDf2, {}, CAPTURE);
    expect(numbers(events, 'sample')).toEqual(PLETH);
    expect(numbers(events, 'heartRate')).toEqual([74]);
    expect(numbers(events, 'spo2')).toEqual([96]);
    expect(events.filter((event) => event[0] === 'contact' && event[1])).toHaveLength(30);
    expect(reasons(events)).toEqual([]);
    expect(numbers(events, 'lost')).toEqual([]);
    // The numbers are told when SYNC proves the packet whole, ahead of the last sample.
    const at = events.findIndex((event) => event[0] === 'heartRate');
    expect(numbers(events.slice(at), 'sample')).toEqual([175]);
  });

  it('[TEST] start of an OEM III packet, HR 72 and SpO2 97 once it is whole', () => {
    const rest = frames(...Array.from({ length: 20 }, () => [0x80, 1] as const));
    const sync = frames([0x81, 1]);
    const events = decode(noninDf2, {}, START, rest);
    expect(numbers(events, 'sample')).toEqual(Array.from({ length: 25 }, () => 1));
    expect(numbers(events, 'heartRate')).toEqual([]);
    const whole = decode(noninDf2, {}, START, rest, sync);
    expect(numbers(whole, 'heartRate')).toEqual([72]);
    expect(numbers(whole, 'spo2')).toEqual([97]);
  });

  it('[TEST] refuses 01800148CB (checksum)', () => {
    const events = decode(
      noninDf2,
      {},
      START.subarray(0, 5),
      START.subarray(10, 15),
      hex('01800148CB'),
      START.subarray(15),
    );
    expect(reasons(events)).toEqual(['checksum']);
    expect(numbers(events, 'lost')).toEqual([1]);
  });

  it.each([
    ['green', 0x82, { beat: true, contact: true }],
    ['red', 0x84, { beat: true, contact: true }],
    ['yellow', 0x86, { beat: true, contact: true }],
    ['sensor alarm', 0x88, { beat: false, contact: false }],
    ['out of track', 0x90, { beat: false, contact: true }],
    ['artifact', 0xa0, { beat: false, contact: true }],
    ['sensor disconnected', 0xc0, { beat: false, contact: false }],
  ] as const)('[TEST] status byte %s', (_name, status, expected) => {
    const events = decode(noninDf2, {}, frames([0x80, 1], [0x80, 2], [status, 3]));
    const last = events.slice(events.findLastIndex((event) => event[0] === 'contact'));
    expect(last).toEqual([
      ['contact', expected.contact],
      ...(expected.beat ? ([['beat']] satisfies Event[]) : []),
      ['sample', 3],
      ['frame'],
    ]);
  });

  it('marks a beat once, at the rising edge of the perfusion bits', () => {
    const pulse = (on: boolean, count: number) => Array.from({ length: count }, () => [on ? 0x82 : 0x80, 9] as const);
    const events = decode(
      noninDf2,
      {},
      frames(...pulse(true, 5), ...pulse(false, 30), ...pulse(true, 12), ...pulse(false, 9)),
    );
    expect(events.filter((event) => event[0] === 'beat')).toHaveLength(1);
    const at = events.findIndex((event) => event[0] === 'beat');
    expect(numbers(events.slice(0, at), 'sample')).toHaveLength(35);
  });

  it('tells missing rate and SpO2 as NaN', () => {
    const data = [3, 127, 127, ...Array.from({ length: 22 }, () => 0), 3];
    const bytes = data.flatMap((value, i) => {
      const status = i % 25 === 0 ? 0x81 : 0x80;
      return [1, status, 50, value, (1 + status + 50 + value) & 0xff];
    });
    const events = decode(noninDf2, {}, Uint8Array.from(bytes));
    expect(numbers(events, 'heartRate')).toEqual([Number.NaN]);
    expect(numbers(events, 'spo2')).toEqual([Number.NaN]);
  });

  it('counts replies of the device between frames as noise, and loses nothing', () => {
    const events = decode(noninDf2, {}, CAPTURE.subarray(0, 60), hex('06 02F206320C1F0E1E0F03'), CAPTURE.subarray(60));
    expect(numbers(events, 'sample')).toEqual(PLETH);
    expect(events.filter((event) => event[0] === 'dropped')).toEqual([['dropped', 'framing', 11]]);
  });

  it('does not read a shifted number where a whole frame is gone unseen', () => {
    // Without frame 2 of the packet (HR LSB), SpO2 96 would stand in its place.
    const events = decode(noninDf2, {}, without(5));
    expect(numbers(events, 'heartRate')).toEqual([]);
    expect(numbers(events, 'spo2')).toEqual([]);
    expect(numbers(events, 'lost')).toEqual([1]);
    expect(reasons(events)).toEqual(['sequence']);
  });

  it('counts on where the first frame of a packet is gone', () => {
    const next = Buffer.concat([
      CAPTURE.subarray(20, 145),
      CAPTURE.subarray(25, 145),
      CAPTURE.subarray(20, 145),
      frame(29),
    ]);
    const events = decode(noninDf2, {}, next);
    expect(numbers(events, 'sample')).toHaveLength(75);
    expect(numbers(events, 'lost')).toEqual([1]);
    expect(numbers(events, 'heartRate')).toEqual([74]);
  });

  it('tells how many frames a break of the line cost, when the next packet begins', () => {
    const events = decode(noninDf2, {}, Buffer.concat([CAPTURE.subarray(0, 52), CAPTURE.subarray(83)]));
    // Frames 10 (cut) to 16 (cut): 7 of 30 samples.
    expect(numbers(events, 'sample')).toHaveLength(23);
    expect(numbers(events, 'lost')).toEqual([7]);
    expect(numbers(events, 'heartRate')).toEqual([]);
  });

  it('writes the numbers known when the packet began, so that its two bytes of rate belong together', () => {
    const bytes = encode(noninDf2, {}, (sink) => {
      sink.heartRate(120);
      sink.sample(1);
      sink.heartRate(130);
      for (let i = 0; i < 50; i++) sink.sample(1);
    });
    expect(numbers(decode(noninDf2, {}, bytes), 'heartRate')).toEqual([120, 130]);
  });

  it('writes the layout of the device', () => {
    const writes = encodeFrames(noninDf2, {}, (sink) => {
      sink.heartRate(172);
      sink.spo2(97);
      sink.beat();
      for (let i = 0; i < 25; i++) sink.sample(i);
    });
    const bytes = Buffer.concat(writes);
    expect(writes.map((write) => write.length)).toEqual(Array.from({ length: 25 }, () => 5));
    expect(Array.from({ length: 25 }, (_, i) => bytes[5 * i + 3])).toEqual([
      1, 44, 97, 48, 0, 0, 0, 0, 97, 97, 97, 0, 0, 1, 44, 97, 97, 0, 0, 1, 44, 1, 44, 0, 0,
    ]);
    expect(Array.from({ length: 14 }, (_, i) => bytes[5 * i + 1])).toEqual([
      0x83,
      ...Array.from({ length: 11 }, () => 0x82),
      0x80,
      0x80,
    ]);
    const off = encode(noninDf2, {}, (sink) => {
      sink.heartRate(72);
      sink.contact(false);
      sink.sample(7);
      sink.sample(7);
    });
    expect(off).toEqual(Buffer.from(hex('0189070394 0188077F0F')));
  });
});
