import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RecordingLink } from '../../../src/sensor/links/recording.js';
import { temporaryFolder } from '../../e2e/support/world.js';
import { ManualTime } from '../fake-link.js';

function recording(bytes: Uint8Array): string {
  const file = join(temporaryFolder(), 'capture.bin');
  writeFileSync(file, bytes);
  return file;
}

describe('RecordingLink', () => {
  it('plays a file in a loop at its rate, every byte in order', async () => {
    const bytes = Uint8Array.from({ length: 250 }, (_, i) => i);
    const time = new ManualTime();
    const got: number[] = [];
    const link = await new RecordingLink(recording(bytes), 1000, time).open({
      onBytes: (chunk) => got.push(...chunk),
      onClose: () => got.push(-1),
    });
    await time.advance(980);
    expect(got.length).toBeGreaterThanOrEqual(980 - 50);
    expect(got.length).toBeLessThanOrEqual(1000);
    expect(got).toEqual(got.map((_, i) => i % 250));
    const before = got.length;
    await link.close();
    await time.advance(1000);
    expect(got.length).toBe(before);
    expect(time.pending).toBe(0);
  });

  it('takes writes and does nothing with them', async () => {
    const time = new ManualTime();
    const link = await new RecordingLink(recording(Uint8Array.of(1)), 1000, time).open({
      onBytes: () => undefined,
      onClose: () => undefined,
    });
    expect(() => link.write(Uint8Array.of(1, 2))).not.toThrow();
    await link.close();
  });

  it('says which file is missing or empty', async () => {
    const handlers = { onBytes: () => undefined, onClose: () => undefined };
    const time = new ManualTime();
    const missing = join(temporaryFolder(), 'nothing.bin');
    await expect(new RecordingLink(missing, 1000, time).open(handlers)).rejects.toMatchObject({
      reason: 'absent',
      message: expect.stringContaining(missing),
    });
    const empty = recording(new Uint8Array(0));
    await expect(new RecordingLink(empty, 1000, time).open(handlers)).rejects.toMatchObject({
      reason: 'failed',
      message: `the recording ${empty} is empty`,
    });
  });
});
