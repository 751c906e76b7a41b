import { describe, expect, it } from 'vitest';
import { bci } from '../../../src/sensor/formats/bci.js';
import { contecNew } from '../../../src/sensor/formats/contec-new.js';
import { contecOld } from '../../../src/sensor/formats/contec-old.js';
import { serialSettings } from '../../../src/sensor/formats/registry.js';
import { decode, type Event, encode, hex, numbers, reasons } from './recorder.js';

function contacts(events: readonly Event[]): unknown[] {
  return events.filter((event) => event[0] === 'contact').map((event) => event[1]);
}

function beats(events: readonly Event[]): number {
  return events.filter((event) => event[0] === 'beat').length;
}

describe('contec-old', () => {
  it('[SYN] signal, pleth, rate and SpO2', () => {
    const events = decode(contecOld, {}, hex('8533064161 8533064161'));
    expect(numbers(events, 'sample')).toEqual([51, 51]);
    expect(numbers(events, 'heartRate')).toEqual([65]);
    expect(numbers(events, 'spo2')).toEqual([97]);
  });

  it('[SYN] a beep is a beat, and the rate has an eighth bit', () => {
    const events = decode(contecOld, {}, hex('8533064161 C75A491662 C75A491662 C75A491662'));
    expect(beats(events)).toBe(1);
    expect(numbers(events, 'sample')).toEqual([51, 90, 90, 90]);
    expect(numbers(events, 'heartRate')).toEqual([150, 150]);
    expect(numbers(events, 'spo2')).toEqual([98, 98]);
  });

  it('[SYN] finger out and probe error, then searching: no numbers', () => {
    const out = decode(contecOld, {}, hex('9000507F7F 9000507F7F'));
    expect(contacts(out)).toEqual([false, false]);
    expect(numbers(out, 'heartRate')).toEqual([Number.NaN]);
    const searching = decode(contecOld, {}, hex('8000607F7F 8000607F7F'));
    expect(contacts(searching)).toEqual([true, true]);
    expect(numbers(searching, 'heartRate')).toEqual([Number.NaN]);
    expect(numbers(searching, 'spo2')).toEqual([Number.NaN]);
  });

  it('[TEST] accepts 80 00 00 00 00, with impossible numbers; rejects bit 7 in a wrong place and four bytes', () => {
    const zeros = decode(contecOld, {}, hex('8000000000 8000000000'));
    expect(numbers(zeros, 'sample')).toEqual([0, 0]);
    expect(reasons(zeros)).toEqual(['out-of-range']);
    for (const wrong of ['0080000000', '0000800000', '80000000']) {
      expect(numbers(decode(contecOld, {}, hex(wrong + wrong)), 'sample'), wrong).toEqual([]);
    }
  });

  it('[CAP] a packet cut by a byte yields nothing', () => {
    const events = decode(contecOld, {}, hex('9028 3500 8533064161 8533064161'));
    expect(numbers(events, 'sample')).toEqual([51, 51]);
    expect(reasons(events)).toEqual(['framing']);
  });

  it('tells numbers only once two packets in a row agree', () => {
    const events = decode(contecOld, {}, hex('8533064161 8533064261 8533064361 8533064361'));
    expect(numbers(events, 'heartRate')).toEqual([67]);
  });

  it('makes no beat of a beep that began unseen', () => {
    expect(beats(decode(contecOld, {}, hex('C533064161 C533064161 8533064161 C533064161')))).toBe(1);
  });

  it('has odd parity', () => {
    expect(contecOld.serial).toEqual({ baudRate: 19_200, dataBits: 8, parity: 'odd', stopBits: 1 });
  });
});

describe('bci', () => {
  it('[SYN] the same bytes as Contec where all is well', () => {
    const events = decode(bci, {}, hex('8533064161 8533064161'));
    expect(numbers(events, 'heartRate')).toEqual([65]);
    expect(numbers(events, 'spo2')).toEqual([97]);
  });

  it('[SYN] probe unplugged, no finger; no signal, searching', () => {
    const unplugged = decode(bci, {}, hex('A000507F7F A000507F7F'));
    expect(contacts(unplugged)).toEqual([false, false]);
    expect(numbers(unplugged, 'sample')).toEqual([Number.NaN, Number.NaN]);
    const searching = decode(bci, {}, hex('9000607F7F 9000607F7F'));
    expect(contacts(searching)).toEqual([true, true]);
    expect(numbers(searching, 'heartRate')).toEqual([Number.NaN]);
  });

  it('[SYN] an SpO2 that no person has is counted, not told', () => {
    const events = decode(bci, {}, hex('8632054861 C63205481F C63205481F'));
    expect(numbers(events, 'spo2')).toEqual([]);
    expect(reasons(events)).toEqual(['out-of-range']);
    expect(beats(events)).toBe(1);
    expect(numbers(events, 'sample')).toEqual([50, 50, 50]);
  });

  it('knows the boards', () => {
    expect(serialSettings(bci, {})).toEqual({ baudRate: 4800, dataBits: 8, parity: 'none', stopBits: 1 });
    expect(serialSettings(bci, { board: 'berry' }).baudRate).toBe(115_200);
    expect(bci.carries({}).waveform?.rateHz).toBe(60);
    expect(bci.carries({ board: 'berry' }).waveform?.rateHz).toBe(100);
  });
});

describe('contec-new', () => {
  const twice = (digits: string) => decode(contecNew, {}, hex(digits + digits));

  it('[CAP] two packets in a row', () => {
    const events = decode(contecNew, {}, hex('01 E0 85 B3 96 C1 E1 FF FF  01 E0 85 B0 96 C1 E1 FF FF'));
    expect(numbers(events, 'sample')).toEqual([51, 48]);
    expect(numbers(events, 'heartRate')).toEqual([65]);
    expect(numbers(events, 'spo2')).toEqual([97]);
    expect(contacts(events)).toEqual([true, true]);
  });

  it('[CAP] another device', () => {
    const events = twice('01 E0 85 D5 9A BD E3 FF FF');
    expect(numbers(events, 'sample')).toEqual([85, 85]);
    expect(numbers(events, 'heartRate')).toEqual([61]);
    expect(numbers(events, 'spo2')).toEqual([99]);
  });

  it('[SYN] a rate with its eighth bit', () => {
    expect(numbers(twice('01 88 87 B3 86 96 E1 AC 81'), 'heartRate')).toEqual([150]);
  });

  it('[SYN] probe error; searching', () => {
    const error = twice('01 E9 80 80 80 FF FF FF FF');
    expect(contacts(error)).toEqual([false, false]);
    expect(numbers(error, 'heartRate')).toEqual([Number.NaN]);
    const searching = twice('01 EA 80 80 80 FF FF FF FF');
    expect(contacts(searching)).toEqual([true, true]);
    expect(numbers(searching, 'spo2')).toEqual([Number.NaN]);
  });

  it('[CAP] answers to commands are passed over in silence', () => {
    const replies = hex(`
      0C 80  0C 80  06 80 80 87  11 80 81 81 80 80 80 80 80  0E 80 81
      02 80 80 A0 A0 A0 A0 A0 A0  02 81 FF A0 A0 A0 A0 A0 A0
      04 80 F5 F3 E5 F2 A0 A0 A0  03 80 A0 A0 A0 A0 A0 A0 A0
      13 80 A0 A0 A0 A0 A0 A0 A0  14 80 A0 A0 A0 A0 A0 80 80`);
    const packet = hex('01 E0 85 B3 96 C1 E1 FF FF');
    const events = decode(contecNew, {}, replies, packet, packet);
    expect(reasons(events)).toEqual([]);
    expect(numbers(events, 'heartRate')).toEqual([65]);
  });

  it('marks a beep as a beat', () => {
    expect(beats(decode(contecNew, {}, hex('01 E0 85 B3 96 C1 E1 FF FF 01 E0 C5 B3 96 C1 E1 FF FF')))).toBe(1);
  });

  it('drops a packet cut short, and a type it does not know', () => {
    const events = decode(contecNew, {}, hex('01 E0 85 B3 96 01 E0 85 B3 96 C1 E1 FF FF 7E 80 80'));
    expect(numbers(events, 'sample')).toEqual([51]);
    expect(reasons(events)).toEqual(['framing']);
    expect(reasons(decode(contecNew, {}, hex('7E 80 80 01 E0 85 B3 96 C1 E1 FF FF')))).toEqual(['unknown']);
  });

  it('[DOC] starts, stops and keeps the stream alive', () => {
    expect(contecNew.commands?.({})).toEqual({
      start: Buffer.from(hex('7D81A2808080808080 7D81A7808080808080 7D81A1808080808080')),
      stop: hex('7D81A2808080808080'),
      keepAlive: { bytes: hex('7D81AF808080808080'), everyMs: 5000 },
    });
  });

  it('writes the high bits beside the data', () => {
    const bytes = encode(contecNew, {}, (sink) => {
      sink.heartRate(150);
      sink.spo2(97);
      sink.sample(51);
    });
    expect(bytes).toEqual(Buffer.from(hex('01 E8 85 B3 86 96 E1 FF FF')));
  });
});
