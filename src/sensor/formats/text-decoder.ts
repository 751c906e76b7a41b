import type { Decoder, DropReason, ReadingSink } from '../../domain/reading.js';
import { LineFramer } from './line-framer.js';

/**
 * A decoder for text that comes a few times a second, where a string per line costs nothing. `read` tells what a line
 * says and returns null where it was a whole reading, 'part' where more lines belong to it, or why it was refused.
 */
export function textDecoder(
  sink: ReadingSink,
  read: (line: string) => DropReason | 'part' | null,
  forget: () => void = () => {},
): Decoder {
  const lines = new LineFramer(
    (bytes, from, to) => {
      const text = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
      const outcome = read(text.trim());
      if (outcome === null) sink.frame();
      else if (outcome !== 'part') sink.dropped(outcome, to - from);
    },
    (reason, bytes) => sink.dropped(reason, bytes),
  );
  return {
    push: (chunk) => lines.push(chunk),
    reset: () => {
      lines.reset();
      forget();
    },
  };
}
