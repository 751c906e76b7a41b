import { describe, expect, it } from 'vitest';
import { deviceStream } from '../../../src/lab/fuzz/device-stream.js';
import { seededRandom } from '../../../src/lab/random.js';
import { FORMATS } from '../../../src/sensor/formats/registry.js';
import { guessFormat } from '../../../src/sensor/probe/guess.js';
import { settingsToTry } from '../../../src/sensor/probe/probe-port.js';

/** The same skeleton on the wire, with nothing in it that tells them apart: both must be named. */
const TWINS: Readonly<Record<string, string>> = { bci: 'contec-old' };

describe('guessFormat', () => {
  for (const [id, format] of FORMATS) {
    it(`tells ${id} from the bytes of its device, heard from the middle on`, () => {
      const bytes = deviceStream(format, {}, 20).subarray(5);
      const { format: found, alsoPossible } = guessFormat(bytes);
      expect([found, ...alsoPossible]).toContain(id);
      if (found !== id) expect(found).toBe(TWINS[id]);
    });
  }

  it('names no format for noise, and says so', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const bytes = Uint8Array.from({ length: 4000 }, () => Math.floor(256 * random()));
      const guess = guessFormat(bytes);
      expect(guess.format).toBeNull();
      expect(guess.reason).toMatch(/no format reads/);
    }
  });

  it('says what silence means', () => {
    expect(guessFormat(new Uint8Array())).toMatchObject({ format: null });
    expect(guessFormat(new Uint8Array()).reason).toMatch(/nothing was heard.*waits for a command/);
  });

  it('recognises a wrong rate and unknown text', () => {
    const wrong = Uint8Array.from({ length: 600 }, (_, i) => [0, 0xf8, 0x80, 0xff, 0][i % 5]!);
    expect(guessFormat(wrong).reason).toMatch(/wrong baud rate or parity/);
    const text = Buffer.from('Hello, this is a boot message of a router\r\n'.repeat(30));
    expect(guessFormat(text)).toMatchObject({ format: null });
    expect(guessFormat(text).reason).toMatch(/text, but no known pattern/);
  });
});

it('every setting that a format uses is tried once, and 1200 baud never', () => {
  const tries = settingsToTry().map((s) => `${s.baudRate} ${s.parity}`);
  for (const { serial } of FORMATS.values()) expect(tries).toContain(`${serial.baudRate} ${serial.parity}`);
  expect(new Set(tries).size).toBe(tries.length);
  expect(tries.join()).not.toMatch(/\b1200\b/);
});
