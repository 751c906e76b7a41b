import { describe, expect, it } from 'vitest';
import { LineFramer } from '../../../src/sensor/formats/line-framer.js';

function collect(longestBytes?: number) {
  const lines: string[] = [];
  const dropped: [string, number][] = [];
  const framer = new LineFramer(
    (bytes, from, to) => lines.push(Buffer.from(bytes.subarray(from, to)).toString()),
    (reason, bytes) => dropped.push([reason, bytes]),
    longestBytes,
  );
  return { framer, lines, dropped, push: (text: string) => framer.push(Buffer.from(text)) };
}

describe('line framer', () => {
  it('drops what stands before the first newline', () => {
    const { lines, dropped, push } = collect();
    push('12');
    push('3\r\n456\r\n');
    expect(lines).toEqual(['456']);
    expect(dropped).toEqual([['first-line', 3]]);
  });

  it('keeps the first line where a newline came ahead of it', () => {
    const { lines, dropped, push } = collect();
    push('\n');
    push('456\n');
    expect(lines).toEqual(['456']);
    expect(dropped).toEqual([]);
  });

  it('counts half a line at a reopen, and takes the next line for cut', () => {
    const { framer, lines, dropped, push } = collect();
    push('\n1\n23');
    framer.reset();
    push('45\n6\n');
    expect(lines).toEqual(['1', '6']);
    expect(dropped).toEqual([
      ['framing', 2],
      ['first-line', 2],
    ]);
  });

  it('skips empty lines, in every way lines end', () => {
    const { lines, push } = collect();
    push('\r\n\r\na\r\n\nb\r\rc\n');
    expect(lines).toEqual(['a', 'b', 'c']);
  });

  it('takes a line of the greatest length and drops one byte more', () => {
    const { lines, dropped, push } = collect(4);
    push('\n1234\n12');
    push('345\n12');
    push('34\n5\n');
    expect(lines).toEqual(['1234', '1234', '5']);
    expect(dropped).toEqual([['too-long', 5]]);
  });
});
