import type { DropReason, Format, FormatOptions } from '../../domain/reading.js';
import { IgnoringSink } from '../formats/ignoring-sink.js';
import { FORMATS } from '../formats/registry.js';

/** A format must have read this many frames, and this share of the bytes, to be believed. */
const FEWEST_FRAMES = 3;
const LEAST_SHARE = 0.85;
/** With fewer bytes than this nothing is said. */
const FEWEST_BYTES = 12;
/** Formats of this share and nearer to the best one are told as possible, too. */
const NEAR_BEST = 0.05;
/** Printable text makes up this share of a text stream at the right rate. */
const TEXT_SHARE = 0.95;

/** What one format made of the bytes. */
export interface Candidate {
  readonly id: string;
  readonly frames: number;
  /** 0 to 1: bytes that ended up in valid frames. */
  readonly share: number;
}

export interface Guess {
  /** The format, or null where it cannot be told. */
  readonly format: string | null;
  /** Others that read these bytes as well: the same skeleton on the wire. */
  readonly alsoPossible: readonly string[];
  /** For a person: what was seen, or why it cannot be told. */
  readonly reason: string;
  readonly candidates: readonly Candidate[];
}

/**
 * Which wire format these bytes are, by letting every decoder read them. Pure: it knows nothing of ports.
 * @param bytes what was heard, beginning anywhere in a frame
 */
export function guessFormat(bytes: Uint8Array, formats: Iterable<Format> = FORMATS.values()): Guess {
  if (bytes.length < FEWEST_BYTES) {
    const heard = bytes.length === 0 ? 'nothing was heard' : `only ${bytes.length} bytes were heard`;
    return {
      format: null,
      alsoPossible: [],
      candidates: [],
      reason: `${heard}: the device waits for a command (new Contec, BioHarness, BITalino, Shimmer3, OpenBCI, ANT), is off, or speaks seldom (--seconds)`,
    };
  }
  const candidates = [...formats]
    .map((format) => tryFormat(format, bytes, {}))
    .filter((candidate): candidate is Candidate => candidate !== null && candidate.frames > 0)
    .sort(better);
  const believed = candidates.filter(({ frames, share }) => frames >= FEWEST_FRAMES && share >= LEAST_SHARE);
  const [best, ...others] = believed;
  if (!best) return { format: null, alsoPossible: [], candidates, reason: whyNot(bytes, candidates) };
  const alsoPossible = others
    .filter(({ id, share }) => id !== 'generic-text' && share >= best.share - NEAR_BEST)
    .map(({ id }) => id);
  return {
    format: best.id,
    alsoPossible,
    candidates,
    reason: `${best.frames} valid frames, ${Math.round(100 * best.share)} % of ${bytes.length} bytes`,
  };
}

/** More of the bytes explained is better; then more frames; plain text patterns come last, they fit nearly anything. */
function better(a: Candidate, b: Candidate): number {
  const generic = Number(a.id === 'generic-text') - Number(b.id === 'generic-text');
  if (generic !== 0 && Math.abs(a.share - b.share) < 0.2) return generic;
  return Math.abs(b.share - a.share) > 0.02 ? b.share - a.share : b.frames - a.frames;
}

/** Valid frames, and the bytes that were in none. */
class FrameCounter extends IgnoringSink {
  frames = 0;
  bytesDropped = 0;
  /** We came in the middle of a frame: what precedes the first whole one says nothing against the format. */
  firstDropped = 0;

  override frame(): void {
    this.frames++;
  }

  override dropped(_reason: DropReason, bytes: number): void {
    if (this.frames === 0) this.firstDropped += bytes;
    else this.bytesDropped += bytes;
  }
}

function tryFormat(format: Format, bytes: Uint8Array, options: FormatOptions): Candidate | null {
  const sink = new FrameCounter();
  try {
    format.createDecoder(sink, options).push(bytes);
  } catch {
    // A format that cannot do without options cannot be found by listening.
    return null;
  }
  const counted = bytes.length - Math.min(sink.firstDropped, bytes.length / 4);
  const lost = sink.bytesDropped + Math.max(0, sink.firstDropped - bytes.length / 4);
  return { id: format.id, frames: sink.frames, share: Math.max(0, 1 - lost / counted) };
}

function whyNot(bytes: Uint8Array, candidates: readonly Candidate[]): string {
  let text = 0;
  const odd = new Map<number, number>();
  for (const byte of bytes) {
    if ((byte >= 0x20 && byte < 0x7f) || byte === 10 || byte === 13 || byte === 9 || byte >= 0xc2) text++;
    if (byte === 0 || byte === 0xff || byte === 0xf8 || byte === 0x80) odd.set(byte, (odd.get(byte) ?? 0) + 1);
  }
  const oddShare = [...odd.values()].reduce((sum, count) => sum + count, 0) / bytes.length;
  const nearest = candidates[0];
  const near = nearest
    ? `; nearest: ${nearest.id} (${nearest.frames} frames, ${Math.round(100 * nearest.share)} %)`
    : '';
  if (oddShare > 0.6) return `mostly bytes 00, 80, F8 and FF: the wrong baud rate or parity${near}`;
  if (text > TEXT_SHARE * bytes.length) {
    const sample =
      new TextDecoder()
        .decode(bytes.subarray(0, 200))
        .split(/\r?\n|\r/)
        .at(1) ?? '';
    return `text, but no known pattern, such as ${JSON.stringify(sample.slice(0, 60))}: format generic-text can be told its columns${near}`;
  }
  return `no format reads these ${bytes.length} bytes: the wrong baud rate or parity, or an unknown device${near}`;
}
