import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Format, FormatOptions } from '../../../src/domain/reading.js';
import { seededRandom } from '../../../src/lab/random.js';
import { checkOptions, FORMATS, findFormat } from '../../../src/sensor/formats/registry.js';
import { decode, type Event, encode, encodeFrames, numbers, Recorder } from './recorder.js';
import { play, type Segment, type Truth } from './stimulus.js';
import { traitsOf } from './traits.js';

const segment: fc.Arbitrary<Segment> = fc.record({
  contact: fc.boolean(),
  hrBpm: fc.integer({ min: 30, max: 220 }),
  spo2: fc.integer({ min: 70, max: 100 }),
  battery: fc.integer({ min: 0, max: 100 }),
  seed: fc.integer(),
});
const ON: Segment = { contact: true, hrBpm: 72, spo2: 97, battery: 60, seed: 7 };
const OFF: Segment = { contact: false, hrBpm: 64, spo2: 95, battery: 59, seed: 8 };

function noTruth(): Truth {
  return { samples: [], beatsAt: [], rrMs: [] };
}

function record(format: Format, options: FormatOptions, segments: readonly Segment[]): Uint8Array {
  const carries = format.carries(options);
  return encode(format, options, (sink) => {
    for (const one of segments) play(one, carries, sink, noTruth(), traitsOf(format.id).samplesPerPacket);
  });
}

/** Samples, beats and intervals as long as the device says it has contact. */
function readWithContact(events: readonly Event[]): Truth {
  const truth = noTruth();
  let on = true;
  for (const event of events) {
    if (event[0] === 'contact') on = event[1];
    else if (event[0] === 'sample' && on) truth.samples.push(event[1]);
    else if (event[0] === 'beat') truth.beatsAt.push(truth.samples.length);
    else if (event[0] === 'rr') truth.rrMs.push(event[1]);
  }
  return truth;
}

function isSubsequence(part: readonly number[], whole: readonly number[]): boolean {
  let at = 0;
  for (const value of part) {
    while (at < whole.length && !Object.is(whole[at], value)) at++;
    if (at++ >= whole.length) return false;
  }
  return true;
}

/** The kind of reading that shows best which frames came through, and the most of it one frame holds. */
function witness(events: readonly Event[]): { kind: 'sample' | 'heartRate'; perFrame: number } {
  const kind = events.some((event) => event[0] === 'sample') ? 'sample' : 'heartRate';
  let perFrame = 0;
  let count = 0;
  for (const event of events) {
    if (event[0] === kind) count++;
    if (event[0] !== 'frame') continue;
    perFrame = Math.max(perFrame, count);
    count = 0;
  }
  return { kind, perFrame };
}

describe.each([...FORMATS.values()].map((format) => ({ id: format.id, format })))('$id', ({ format }) => {
  const { variants, checked = [], binary = false, samplesPerPacket } = traitsOf(format.id);
  const cases = variants.map((options) => ({ name: JSON.stringify(options), options }));

  describe.each(cases)('with $name', ({ options }) => {
    const carries = format.carries(options);
    const bytes = record(format, options, [ON, OFF, ON]);
    const clean = decode(format, options, bytes);

    it('accepts its own options', () => {
      expect(() => checkOptions(format, options)).not.toThrow();
    });

    it('decodes what its encoder wrote to what was put in', () => {
      fc.assert(
        fc.property(fc.array(segment, { minLength: 1, maxLength: 3 }), (segments) => {
          const recorder = new Recorder();
          const decoder = format.createDecoder(recorder, options);
          const encoder = format.createEncoder((written) => decoder.push(written), options);
          const truth = noTruth();
          for (const one of segments) {
            play(one, carries, encoder, truth, samplesPerPacket);
            if (carries.contact)
              expect(recorder.events.findLast((event) => event[0] === 'contact')?.[1]).toBe(one.contact);
            if (carries.contact && !one.contact) continue;
            if (carries.heartRate) expect(numbers(recorder.events, 'heartRate').at(-1)).toBe(one.hrBpm);
            if (carries.spo2) expect(numbers(recorder.events, 'spo2').at(-1)).toBe(one.spo2);
            if (carries.battery) expect(numbers(recorder.events, 'battery').at(-1)).toBe(one.battery);
          }
          const read = readWithContact(recorder.events);
          expect(read.samples).toEqual(truth.samples);
          expect(read.beatsAt).toEqual(truth.beatsAt);
          expect(read.rrMs.map(Math.round)).toEqual(truth.rrMs);
          expect(recorder.events.filter((event) => event[0] === 'dropped')).toEqual([]);
        }),
        { numRuns: 15 },
      );
    });

    it('says nothing that its description does not carry', () => {
      const said = new Set(clean.map((event) => event[0]));
      const carried: Record<string, boolean> = {
        sample: carries.waveform !== null,
        beat: carries.beatFlags,
        rr: carries.rr,
        heartRate: carries.heartRate,
        spo2: carries.spo2,
        contact: carries.contact,
        battery: carries.battery,
      };
      for (const [kind, may] of Object.entries(carried))
        expect([kind, said.has(kind as Event[0])]).toEqual([kind, may]);
      expect(said.has('frame')).toBe(true);
    });

    it('reads the same however the bytes are cut', () => {
      const random = seededRandom(3);
      const noise = Uint8Array.from({ length: 90 }, () => Math.floor(random() * 256));
      const start = Math.floor(bytes.length / 3);
      // Pieces must hold whole frames, however long those are.
      const writes = encodeFrames(format, options, (sink) => play(ON, carries, sink, noTruth(), samplesPerPacket));
      const unit = Math.ceil(Math.max(...writes.map((write) => write.length)) / 100);
      const piece = (from: number, to: number) => bytes.subarray(start + unit * from, start + unit * to);
      // From the middle of a frame, over the loss of contact where there is one, with noise and a broken frame in it.
      const stream = Buffer.concat([
        bytes.subarray(start + 1, start + unit * 150),
        noise,
        piece(150, 400),
        bytes.subarray(start + unit * 400 + 3, start + unit * 700),
      ]);
      const whole = decode(format, options, stream);
      expect(whole.some((event) => event[0] === 'dropped')).toBe(true);
      expect(whole.some((event) => event[0] === 'frame')).toBe(true);
      // Every place for the usual options; for others a stride, which meets every place of a frame as frames go by.
      const stride = options === variants[0] ? unit : 11 * unit;
      for (let cut = 1; cut < stream.length; cut += stride) {
        expect(decode(format, options, stream.subarray(0, cut), stream.subarray(cut))).toEqual(whole);
      }
      expect(decode(format, options, ...Array.from(stream, (byte) => Uint8Array.of(byte)))).toEqual(whole);
    });

    it('is back within two valid frames after any garbage', () => {
      const frames = encodeFrames(format, options, (sink) => {
        for (const one of [ON, ON]) play(one, carries, sink, noTruth(), samplesPerPacket);
      });
      // Without the newline that text encoders send ahead: garbage and first frame touch.
      const valid = Buffer.concat(frames.slice(1));
      const expected = decode(format, options, ...frames);
      const { kind, perFrame } = witness(expected);
      const must = numbers(expected, kind).slice(3 * perFrame);
      expect(must.length).toBeGreaterThan(10);
      const half = frames[0]!.subarray(0, frames[0]!.length - 1);
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), (garbage, endInHalfFrame) => {
          const got = numbers(decode(format, options, garbage, endInHalfFrame ? half : new Uint8Array(), valid), kind);
          expect(got.slice(-must.length)).toEqual(must);
        }),
        { numRuns: options === variants[0] ? 60 : 20 },
      );
    });

    it('forgets half a frame, and everything learned, on reset', () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: bytes.length }), (length) => {
          const recorder = new Recorder();
          const decoder = format.createDecoder(recorder, options);
          decoder.push(bytes.subarray(0, length));
          decoder.reset();
          recorder.events.length = 0;
          decoder.push(bytes);
          expect(recorder.events).toEqual(clean);
        }),
        { numRuns: 25 },
      );
    });
  });

  it.each(checked.map((options) => ({ name: JSON.stringify(options), options })))(
    'reads nothing wrong from a stream with one flipped bit, with $name',
    ({ options }) => {
      const bytes = record(format, options, [ON, OFF, ON]);
      const clean = decode(format, options, bytes);
      const kinds = ['sample', 'heartRate', 'spo2', 'rr', 'battery', 'contact'] as const;
      const length = Math.min(bytes.length, 700);
      for (let bit = 0; bit < 8 * length; bit++) {
        const flipped = Uint8Array.from(bytes.subarray(0, length + 300));
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        const events = decode(format, options, flipped);
        for (const kind of kinds) {
          const ok = isSubsequence(numbers(events, kind), numbers(clean, kind));
          if (!ok) expect.fail(`bit ${bit} made a wrong ${kind}`);
        }
      }
    },
  );

  if (binary) {
    it('allocates nothing per sample', () => {
      const bytes = record(
        format,
        {},
        Array.from({ length: 50 }, () => ON),
      );
      const samples = numbers(decode(format, {}, bytes), 'sample').length;
      let seen = 0;
      const nothing = () => {};
      const decoder = format.createDecoder(
        {
          sample: () => {
            seen++;
          },
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
        },
        {},
      );
      for (let warm = 0; warm < 20; warm++) decoder.push(bytes);
      const rounds = 20;
      // The heap grows by every allocation until a collection, which can only make a round look smaller.
      const grown: number[] = [];
      for (let i = 0; i < rounds; i++) {
        const before = process.memoryUsage().heapUsed;
        decoder.push(bytes);
        grown.push(process.memoryUsage().heapUsed - before);
      }
      expect(seen).toBe(40 * samples);
      const typical = grown.sort((a, b) => a - b)[rounds / 2]!;
      expect(typical / samples).toBeLessThan(1);
    });
  }
});

describe('registry', () => {
  it('finds each format by its name, and lists them all for a wrong one', () => {
    for (const [id, format] of FORMATS) expect(findFormat(id)).toBe(format);
    expect(() => findFormat('ad8233')).toThrow(/no format "ad8233"; there are ad8232, .*generic-text/);
  });

  it('refuses options a format does not know, and wrong values', () => {
    expect(() => checkOptions(findFormat('ad8232'), { adcbits: 12 })).toThrow(/no option "adcbits"; it knows adcBits/);
    expect(() => checkOptions(findFormat('max30100'), { x: 1 })).toThrow(/it knows none/);
    expect(() => checkOptions(findFormat('ad8232'), { adcBits: 'many' })).toThrow(/option adcBits: "many"/);
    expect(() => checkOptions(findFormat('ad8232'), { adcBits: 10.5 })).toThrow(/whole number/);
    expect(() => checkOptions(findFormat('protocentral'), { board: 'x' })).toThrow(/not one of ads1292r/);
    expect(() => checkOptions(findFormat('protocentral'), { rrOnChange: 1 })).toThrow(/not true or false/);
    expect(() => checkOptions(findFormat('generic-text'), { columns: 'bpm,foo' })).toThrow(/"foo" is not a field/);
    expect(() => checkOptions(findFormat('generic-text'), { columns: 3 })).toThrow(/is not text/);
    expect(() => checkOptions(findFormat('generic-text'), { min: 5, max: 5 })).toThrow(/not above min/);
  });
});
