import { type FileHandle, open } from 'node:fs/promises';
import { WfdbError } from './error.js';
import { SIGNAL_FORMATS, type SignalFormat } from './formats.js';
import type { SignalSpec } from './header.js';

/** Samples from one boundary of bytes to the next, in every format: two in 212, three in 310 and 311. */
const GROUP = 6;

/** One signal file, read frame by frame: memory is that of what is asked for, however long the file is. */
export class SignalFile {
  /** Running sums of each signal's raw values, as the header's checksums have them; of all frames read in order so far. */
  private readonly sums: Int32Array;
  private summedTo = 0;

  private constructor(
    private readonly file: string,
    private readonly handle: FileHandle,
    private readonly specs: readonly SignalSpec[],
    private readonly format: SignalFormat,
    private readonly frameSamples: number,
    /** Whole frames in the file. */
    private readonly held: number,
    /** Frames of the record. */
    readonly frames: number,
  ) {
    this.sums = new Int32Array(specs.length);
  }

  /**
   * @param frames that the header promises; null leaves it to the file's length
   * @throws WfdbError: missing or truncated file, unknown format
   */
  static async open(file: string, specs: readonly SignalSpec[], frames: number | null): Promise<SignalFile> {
    const { format: formatId, byteOffset } = specs[0]!;
    const format = SIGNAL_FORMATS.get(formatId);
    if (!format) {
      const known = [...SIGNAL_FORMATS.keys()].sort((a, b) => a - b).join(', ');
      throw new WfdbError(file, `signal format ${formatId} is not supported (supported: ${known})`);
    }
    if (specs.some((spec) => spec.format !== formatId || spec.byteOffset !== byteOffset)) {
      throw new WfdbError(file, 'the header gives signals of this one file different formats');
    }
    const unreadable = (error: NodeJS.ErrnoException) =>
      new WfdbError(file, `signal file cannot be read (${error.code ?? String(error)})`);
    const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
      throw unreadable(error);
    });
    try {
      const stat = await handle.stat().catch((error: NodeJS.ErrnoException) => {
        throw unreadable(error);
      });
      if (!stat.isFile()) throw new WfdbError(file, 'signal file cannot be read (not a file)');
      const frameSamples = specs.reduce((sum, spec) => sum + spec.samplesPerFrame, 0);
      const held = Math.floor(format.sampleCount(Math.max(0, stat.size - byteOffset)) / frameSamples);
      if (held < (frames ?? 0)) {
        throw new WfdbError(
          file,
          `is truncated: the header promises ${frames} samples a signal, the file holds ${held}`,
        );
      }
      return new SignalFile(file, handle, specs, format, frameSamples, held, frames ?? held);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Frames `from` up to before `to` of every signal, in physical units, NaN where there is no sample. */
  async read(from: number, to: number): Promise<Float32Array[]> {
    const { specs, format, frameSamples, held } = this;
    // Skewed signals reach beyond the record's length, as far as the file goes.
    const skew = specs.reduce((most, spec) => Math.max(most, spec.skew), 0);
    const last = Math.min(held, to + skew);
    const first = from * frameSamples;
    const aligned = first - (first % GROUP);
    const raw = new Int32Array(Math.max(0, last * frameSamples - aligned));
    format.decode(await this.bytes(format.byteLength(aligned), format.byteLength(raw.length)), raw);
    const frames = raw.subarray(first - aligned);
    if (this.summedTo === from) this.sum(frames, to - from);
    let column = 0;
    return specs.map((spec) => {
      const samples = this.physical(frames, last - from, column, spec, to - from);
      column += spec.samplesPerFrame;
      return samples;
    });
  }

  /** Whether a signal's samples sum to its checksum; null where that cannot be said. Ask when all frames were read in order. */
  checksumOk(index: number): boolean | null {
    const { checksum, skew } = this.specs[index]!;
    // Some writers leave the field 0 without having summed (CinC 2017's headers).
    if (checksum === null || checksum === 0 || skew !== 0 || this.summedTo !== this.frames) return null;
    return (this.sums[index]! << 16) >> 16 === (checksum << 16) >> 16;
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async bytes(at: number, count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    const offset = this.specs[0]!.byteOffset + at;
    for (let done = 0; done < count; ) {
      const { bytesRead } = await this.handle.read(bytes, done, count - done, offset + done);
      if (bytesRead === 0) {
        // A last odd sample of format 212 may lie in two bytes; more than that missing means that the file shrank.
        if (count - done <= 1) break;
        throw new WfdbError(this.file, 'became shorter while it was read');
      }
      done += bytesRead;
    }
    return bytes;
  }

  /** The 16-bit sum of all of a signal's samples (header(5)). */
  private sum(raw: Int32Array, frames: number): void {
    let column = 0;
    this.specs.forEach(({ samplesPerFrame }, index) => {
      let sum = this.sums[index]!;
      for (let frame = 0; frame < frames; frame++) {
        for (let k = 0; k < samplesPerFrame; k++) sum = (sum + raw[frame * this.frameSamples + column + k]!) | 0;
      }
      this.sums[index] = sum;
      column += samplesPerFrame;
    });
    this.summedTo += frames;
  }

  /** One signal out of the interleaved raw values: skew undone, frames averaged, in physical units. */
  private physical(
    raw: Int32Array,
    framesRead: number,
    column: number,
    spec: SignalSpec,
    frames: number,
  ): Float32Array {
    const { frameSamples } = this;
    const { invalid } = this.format;
    const samples = new Float32Array(frames).fill(Number.NaN);
    const last = Math.min(frames, framesRead - spec.skew);
    for (let frame = 0; frame < last; frame++) {
      const at = (frame + spec.skew) * frameSamples + column;
      let sum = 0;
      let valid = 0;
      for (let k = 0; k < spec.samplesPerFrame; k++) {
        const value = raw[at + k]!;
        if (value === invalid) continue;
        sum += value;
        valid++;
      }
      if (valid > 0) samples[frame] = (sum / valid - spec.baseline) / spec.gainPerUnit;
    }
    return samples;
  }
}
