import { readFile, writeFile } from 'node:fs/promises';
import { WfdbError } from './error.js';
import { codeOf, MAX_CODE, symbolOf } from './symbols.js';

/** One annotation: its time in samples of the record (or in the file's own ticks) and what it says. */
export interface Annotation {
  readonly sample: number;
  /** `N`, `V`, `+` ...: see symbols.ts. */
  readonly symbol: string;
  readonly subtype: number;
  readonly chan: number;
  readonly num: number;
  /** Text, as `(AFIB` of a rhythm change; empty where there is none. */
  readonly aux: string;
}

export interface AnnotationFile {
  readonly annotations: Annotation[];
  /** Ticks per second, where the file itself says so ("## time resolution"); else the record's rate applies. */
  readonly rateHz: number | null;
}

// Pseudo annotations of the MIT format (WFDB annot(5)).
const SKIP = 59;
const NUM = 60;
const SUB = 61;
const CHN = 62;
const AUX = 63;
const NOTE_SYMBOL = '"';

/**
 * Reads a MIT-format annotation file (`.atr`, `.qrs`, `.ecg` ...), in file order.
 * @throws WfdbError: missing, empty, truncated, or not an annotation file
 */
export async function readAnnotations(file: string): Promise<Annotation[]> {
  return (await readAnnotationFile(file)).annotations;
}

/** As `readAnnotations`, with the tick rate the file may state. */
export async function readAnnotationFile(file: string): Promise<AnnotationFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new WfdbError(file, `cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  return parseAnnotations(file, bytes);
}

/** The bytes of an annotation file, parsed. `file` is only for the messages. */
export function parseAnnotations(file: string, bytes: Uint8Array): AnnotationFile {
  if (bytes.length === 0) throw new WfdbError(file, 'is empty');
  const annotations: Annotation[] = [];
  let rateHz: number | null = null;
  let at = 0;
  let sample = 0;
  // NUM and CHN hold until changed; SUB and AUX belong to one annotation and come after it in the file.
  let num = 0;
  let chan = 0;
  let current: { -readonly [K in keyof Annotation]: Annotation[K] } | null = null;
  const close = () => {
    if (current === null) return;
    const resolution = current.symbol === NOTE_SYMBOL ? /^## time resolution:\s*([\d.]+)/.exec(current.aux) : null;
    if (resolution) rateHz = Number(resolution[1]) || null;
    else if (!(current.symbol === NOTE_SYMBOL && current.aux.startsWith('## '))) annotations.push(current);
    current = null;
  };
  const truncated = () =>
    new WfdbError(file, `is truncated after ${annotations.length} annotations, or not an annotation file`);

  for (;;) {
    if (at + 2 > bytes.length) throw truncated();
    const word = bytes[at]! | (bytes[at + 1]! << 8);
    at += 2;
    const code = word >> 10;
    const field = word & 0x3ff;
    if (word === 0) break;
    if (code === SKIP) {
      if (at + 4 > bytes.length) throw truncated();
      // A PDP-11 long: high word first, each word low byte first.
      sample += (bytes[at]! << 16) | (bytes[at + 1]! << 24) | bytes[at + 2]! | (bytes[at + 3]! << 8);
      at += 4;
    } else if (code >= NUM) {
      if (current === null) throw new WfdbError(file, 'is not an annotation file (a field before any annotation)');
      const signed = (field << 24) >> 24;
      if (code === NUM) current.num = num = signed;
      else if (code === SUB) current.subtype = signed;
      else if (code === CHN) current.chan = chan = field & 0xff;
      else if (code === AUX) {
        if (at + field > bytes.length) throw truncated();
        current.aux = Buffer.from(bytes.subarray(at, at + field))
          .toString('latin1')
          .replace(/\0+$/, '');
        at += field + (field & 1);
      }
    } else if (code === 0 || code > MAX_CODE) {
      throw new WfdbError(file, `is not an annotation file (code ${code} at byte ${at - 2})`);
    } else {
      close();
      sample += field;
      if (sample < 0) throw new WfdbError(file, 'is not an annotation file (time before the start)');
      current = { sample, symbol: symbolOf(code), subtype: 0, chan, num, aux: '' };
    }
  }
  close();
  return { annotations, rateHz };
}

/**
 * Writes a MIT-format annotation file. Annotations must come in order of time.
 * @throws WfdbError when they are out of order, or a symbol or field cannot be written
 */
export async function writeAnnotations(file: string, annotations: Iterable<Annotation>): Promise<void> {
  await writeFile(file, formatAnnotations(file, annotations));
}

/** The bytes of an annotation file. `file` is only for the messages. */
export function formatAnnotations(file: string, annotations: Iterable<Annotation>): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number) => bytes.push(value & 0xff, (value >> 8) & 0xff);
  let previous = 0;
  let num = 0;
  let chan = 0;
  for (const { sample, symbol, subtype, chan: itsChan, num: itsNum, aux } of annotations) {
    const code = codeOf(symbol);
    if (code === null) throw new WfdbError(file, `no annotation code for symbol "${symbol}"`);
    if (!Number.isInteger(sample) || sample < previous || sample > 0x7fffffff) {
      throw new WfdbError(file, `annotation at sample ${sample} after one at ${previous}`);
    }
    let gap = sample - previous;
    if (gap > 0x3ff) {
      word(SKIP << 10);
      word(gap >> 16);
      word(gap);
      gap = 0;
    }
    word((code << 10) | gap);
    previous = sample;
    if (subtype !== 0) word((SUB << 10) | (subtype & 0xff));
    if (itsChan !== chan) word((CHN << 10) | (itsChan & 0xff));
    if (itsNum !== num) word((NUM << 10) | (itsNum & 0xff));
    chan = itsChan;
    num = itsNum;
    if (aux !== '') {
      const text = Buffer.from(aux, 'latin1');
      if (text.length > 255) throw new WfdbError(file, `annotation text of ${text.length} bytes (at most 255)`);
      word((AUX << 10) | text.length);
      bytes.push(...text);
      if (text.length & 1) bytes.push(0);
    }
  }
  word(0);
  return Uint8Array.from(bytes);
}
