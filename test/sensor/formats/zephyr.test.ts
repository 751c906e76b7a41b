import { describe, expect, it } from 'vitest';
import { zephyrBioharness } from '../../../src/sensor/formats/zephyr-bioharness.js';
import { zephyrFrame } from '../../../src/sensor/formats/zephyr-frame.js';
import { zephyrHxm } from '../../../src/sensor/formats/zephyr-hxm.js';
import { decode, hex, numbers, reasons } from './recorder.js';

describe('zephyr-hxm', () => {
  const TEST = hex(
    '02 26 37 1A 00 31 65 50 00 31 62 64 2A 71 78 CB E8 C4 85 C3 75 BB 2A B5 4A B2 33 B1 1B AD 1C A8 1C A3 1D 9E 19 99 1A 94 1A 8F 3B 8A 00 00 00 00 00 00 EA 03 7D 01 30 00 60 04 1E 03',
  );
  const CAPTURES = [
    '02 26 37 1A 00 31 66 50 00 31 64 64 43 66 D7 4B 63 48 D3 44 3F 41 BF 3D 0B 3A 4B 36 9F 32 DF 2E 37 2B FF 27 B3 24 87 21 7F 1E 4B 1B 00 00 00 00 00 00 B5 04 00 00 2E 00 00 00 3E 03',
    '02 26 37 1A 00 31 66 50 00 31 64 64 43 68 13 53 6B 4F D7 4B 63 48 D3 44 3F 41 BF 3D 0B 3A 4B 36 9F 32 DF 2E 37 2B FF 27 B3 24 87 21 00 00 00 00 00 00 B5 04 00 00 2E 00 00 00 E1 03',
    '02 26 37 1A 00 31 66 50 00 31 64 64 43 69 8B 56 13 53 6B 4F D7 4B 63 48 D3 44 3F 41 BF 3D 0B 3A 4B 36 9F 32 DF 2E 37 2B FF 27 B3 24 00 00 00 00 00 00 B5 04 00 00 2E 00 00 00 9E 03',
  ].map(hex);

  function numbered(beatNumber: number): Uint8Array {
    const payload = Uint8Array.from(CAPTURES[1]!.subarray(3, 58));
    payload[10] = beatNumber;
    return zephyrFrame(0x26, payload);
  }

  it('[TEST] rate and battery; no intervals from the first frame', () => {
    expect(decode(zephyrHxm, {}, TEST)).toEqual([['battery', 100], ['heartRate', 42], ['frame']]);
  });

  it('[CAP] three frames: two new beats, then one', () => {
    const events = decode(zephyrHxm, {}, ...CAPTURES);
    expect(numbers(events, 'rr')).toEqual([916, 936, 888]);
    expect(numbers(events, 'heartRate')).toEqual([67, 67, 67]);
    expect(numbers(events, 'battery')).toEqual([100, 100, 100]);
    expect(reasons(events)).toEqual([]);
  });

  it('drops a frame with a wrong CRC, also the public one with 1F for 0F', () => {
    for (const frame of CAPTURES) {
      const wrong = Uint8Array.from(frame);
      wrong[58]! ^= 0x10;
      const events = decode(zephyrHxm, {}, wrong, frame);
      expect(numbers(events, 'heartRate')).toEqual([67]);
      expect(reasons(events)).toEqual(['checksum']);
    }
  });

  it('repeats no interval where no beat came, and wraps the beat number', () => {
    expect(numbers(decode(zephyrHxm, {}, CAPTURES[1]!, CAPTURES[1]!), 'rr')).toEqual([]);
    expect(numbers(decode(zephyrHxm, {}, numbered(255), numbered(1)), 'rr')).toEqual([916, 936]);
  });

  it('tells beats that are gone: a frame shows only 14 intervals', () => {
    const events = decode(zephyrHxm, {}, numbered(0), numbered(20));
    expect(numbers(events, 'lost')).toEqual([6]);
    expect(numbers(events, 'rr')).toHaveLength(14);
  });

  it('forgets the beat number when the link is reopened', () => {
    const seen: number[] = [];
    const recorder = { ...silentSink(), rr: (rrMs: number) => seen.push(rrMs) };
    const decoder = zephyrHxm.createDecoder(recorder, {});
    decoder.push(CAPTURES[0]!);
    decoder.reset();
    decoder.push(CAPTURES[2]!);
    expect(seen).toEqual([]);
  });
});

function silentSink() {
  const nothing = () => {};
  return {
    sample: nothing,
    deviceTime: nothing,
    lost: nothing,
    beat: nothing,
    rr: nothing,
    heartRate: nothing,
    spo2: nothing,
    contact: nothing,
    battery: nothing,
    frame: nothing,
    dropped: nothing,
  };
}

describe('zephyr-bioharness', () => {
  const RR = hex(
    '02 24 2D 26 DC 07 09 1A 13 73 D8 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 EB 03 2C FC 2C FC 2C FC FD 03',
  );
  const SUMMARY = hex(
    '02 2B 47 30 DC 07 09 1A 35 7C D8 03 02 3C 00 DD 00 00 80 2E 00 04 00 10 00 5D 0F 37 53 00 FF FF FF 9C 1D B4 00 64 FF FF 64 FF FF F9 00 BC FF C5 FF 41 00 4A 00 EB FF EE FF 2B 01 00 02 FE 00 0C 74 01 A2 01 A7 01 FE 01 00 00 53 03',
  );
  const ECG = hex(
    '02 22 58 9C DC 07 09 1A E8 75 D8 03 FB F1 C7 1F 7F FC ED B7 DF 7E FA E9 A7 9F 7E FA E9 A7 9F 7E FA E9 A7 9F 7E F9 E5 97 5F 7E F9 E1 87 1F 7E F8 E1 87 1F 7E F8 E1 87 5F 7E FA ED C7 1F 7F FC F5 E7 9F 7F FF FD 07 60 80 02 0E 38 20 81 04 12 48 20 81 03 0E 28 20 80 FE F1 97 1F 0C 03',
  );
  const GENERAL = hex(
    '02 20 35 05 E8 07 02 1D 8A C5 F3 02 48 00 9B 00 56 01 F4 FF 19 00 6E 00 5D 0F 53 00 9C 1D B4 00 BB FF C5 FF 41 00 4A 00 EB FF EE FF 00 00 FF FF FF FF FF FF FF FF 55 80 E2 03',
  );

  function changed(frame: Uint8Array, payloadAt: number, value: number): Uint8Array {
    const payload = Uint8Array.from(frame.subarray(3, -2));
    payload[payloadAt] = value;
    return zephyrFrame(frame[1]!, payload);
  }

  it('[CAP] R-R: a new beat flips the sign', () => {
    const events = decode(zephyrBioharness, {}, RR);
    expect(numbers(events, 'rr')).toEqual([980]);
    expect(reasons(events)).toEqual([]);
  });

  it('repeats no interval over packets, and trusts none behind a packet that is missing', () => {
    expect(numbers(decode(zephyrBioharness, {}, RR, changed(RR, 0, 0x27)), 'rr')).toEqual([980, 1003, 980]);
    expect(numbers(decode(zephyrBioharness, {}, RR, changed(RR, 0, 0x28)), 'rr')).toEqual([980, 980]);
  });

  it('[CAP] Summary of version 2', () => {
    expect(decode(zephyrBioharness, {}, SUMMARY)).toEqual([
      ['contact', true],
      ['heartRate', 60],
      ['battery', 55],
      ['frame'],
    ]);
  });

  it('Summary: not fitted, rate unreliable, another version', () => {
    expect(decode(zephyrBioharness, {}, changed(SUMMARY, 56, 0x08)).slice(0, 2)).toEqual([
      ['contact', false],
      ['heartRate', Number.NaN],
    ]);
    expect(numbers(decode(zephyrBioharness, {}, changed(SUMMARY, 56, 0x10)), 'heartRate')).toEqual([Number.NaN]);
    expect(reasons(decode(zephyrBioharness, {}, changed(SUMMARY, 9, 4)))).toEqual(['unknown']);
  });

  it('[CAP] ECG: 63 samples of ten bits, with the time of the device', () => {
    const events = decode(zephyrBioharness, {}, ECG);
    const samples = numbers(events, 'sample');
    expect(samples).toHaveLength(63);
    expect(samples.slice(0, 9)).toEqual([507, 508, 508, 508, 508, 507, 507, 507, 506]);
    expect(samples.slice(-4)).toEqual([512, 510, 508, 505]);
    expect(numbers(events, 'deviceTime')).toEqual([Date.UTC(2012, 8, 26) + 0x03d875e8]);
  });

  it('tells lost ECG by the packet counter', () => {
    const events = decode(zephyrBioharness, {}, ECG, changed(ECG, 0, 0x9f), changed(ECG, 0, 0xa0));
    expect(numbers(events, 'lost')).toEqual([126]);
    expect(numbers(events, 'sample')).toHaveLength(189);
  });

  it('[SYN] General', () => {
    expect(decode(zephyrBioharness, {}, GENERAL)).toEqual([
      ['contact', true],
      ['heartRate', 72],
      ['battery', 85],
      ['frame'],
    ]);
    expect(numbers(decode(zephyrBioharness, {}, changed(GENERAL, 52, 0x00)), 'heartRate')).toEqual([Number.NaN]);
    expect(numbers(decode(zephyrBioharness, {}, changed(GENERAL, 52, 0xa0)), 'heartRate')).toEqual([Number.NaN]);
  });

  it('[CAP] answers, life-signs, breathing and events are no readings and no losses', () => {
    const quiet = hex(`
      02 15 00 00 06  02 16 00 00 06  02 23 00 00 03
      02 21 20 27 DC 07 09 1A 94 76 D8 03 0C 2E A8 E0 81 05 0A 08 A0 7F FB E9 87 DF 7D F7 D9 67 5F 7D F5 D5 07 0D 03
      02 2C 0D 26 DC 07 09 1A 80 3D DA 03 00 10 01 02 EB 03`);
    const events = decode(zephyrBioharness, {}, quiet);
    expect(numbers(events, 'sample')).toEqual([]);
    expect(reasons(events)).toEqual([]);
  });

  it('[DOC] commands', () => {
    const commands = zephyrBioharness.commands?.({});
    expect(commands?.start).toEqual(Buffer.from(hex('02 14 01 01 5E 03 02 16 01 01 5E 03 02 19 01 01 5E 03')));
    expect(commands?.stop?.subarray(0, 6)).toEqual(Buffer.from(hex('02 14 01 00 00 03')));
    expect(commands?.keepAlive).toEqual({ bytes: hex('02 23 00 00 03'), everyMs: 3000 });
    expect(zephyrFrame(0xbd, [1, 0])).toEqual(hex('02 BD 02 01 00 C4 03'));
    expect(zephyrFrame(0xa4, [0, 0, 0, 0])).toEqual(hex('02 A4 04 00 00 00 00 00 03'));
  });

  it('finds a frame inside what a false start would swallow', () => {
    const events = decode(zephyrBioharness, {}, hex('02 30 7F'), GENERAL, GENERAL, SUMMARY);
    expect(numbers(events, 'heartRate')).toEqual([72, 72, 60]);
  });
});
