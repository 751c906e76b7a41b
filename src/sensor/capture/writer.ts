import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { parse } from 'node:path';
import { type CaptureHeader, encodeRecord, MAGIC, RECORD, type RecordType } from './container.js';

export interface CaptureWriterOptions {
  /** First file; the parts after it get .2, .3 ... before the extension. */
  readonly file: string;
  readonly header: Omit<CaptureHeader, 'version' | 'part'>;
  /** A part that has grown to this is followed by the next. */
  readonly partBytes: number;
  /** All parts together: the oldest are deleted to stay below. */
  readonly totalBytes: number;
}

/**
 * Appends to a capture. Each record is handed to the kernel whole before the call returns, so a killed process loses
 * nothing; a power cut may lose the last seconds that the kernel had not written.
 */
export class CaptureWriter {
  private fd = -1;
  private part = 0;
  private size = 0;
  private readonly parts: { file: string; size: number }[] = [];
  bytes = 0;

  /** @throws Error (EEXIST) where the file is there already: a capture is never overwritten */
  constructor(private readonly options: CaptureWriterOptions) {
    this.nextPart(0);
  }

  get file(): string {
    return this.parts.at(-1)!.file;
  }

  opened(tMs: number): void {
    this.write(RECORD.opened, tMs, new Uint8Array());
  }

  down(tMs: number, reason: string): void {
    this.write(RECORD.down, tMs, new TextEncoder().encode(reason));
  }

  chunk(tMs: number, bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.write(RECORD.bytes, tMs, bytes);
  }

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private write(type: RecordType, tMs: number, payload: Uint8Array): void {
    if (this.size >= this.options.partBytes) this.nextPart(tMs);
    this.append(encodeRecord(type, tMs, payload));
  }

  private nextPart(tMs: number): void {
    this.close();
    this.part++;
    const { dir, name, ext } = parse(this.options.file);
    const file = this.part === 1 ? this.options.file : `${dir ? `${dir}/` : ''}${name}.${this.part}${ext}`;
    this.fd = openSync(file, 'ax');
    this.size = 0;
    this.parts.push({ file, size: 0 });
    this.append(MAGIC);
    const header: CaptureHeader = { version: 1, part: this.part, ...this.options.header };
    this.append(encodeRecord(RECORD.header, tMs, new TextEncoder().encode(JSON.stringify(header))));
    this.makeRoom();
  }

  private append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.fd, bytes, at);
    this.size += bytes.length;
    this.parts.at(-1)!.size = this.size;
  }

  private makeRoom(): void {
    const { partBytes, totalBytes } = this.options;
    let total = this.parts.reduce((sum, part) => sum + part.size, partBytes);
    while (this.parts.length > 1 && total > totalBytes) {
      const oldest = this.parts.shift()!;
      total -= oldest.size;
      unlinkSync(oldest.file);
    }
  }
}
