import type { Decoder, ReadingSink } from '../../domain/reading.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { OximeterValues, rateField, spo2Field } from './oximeter-values.js';
import { SeptetFramer, type SeptetRule } from './septet-framer.js';

const PACKET_BYTES = 5;
const START = 0x80;
const BEEP = 0x40;
const SEARCHING = 0x20;
const RATE_HIGH = 0x40;
const SIGNAL = 0x06;
/** The beep bit stays for about a tenth of a second. */
const BEEP_PACKETS = 6;

/** Where the users of the common five-byte skeleton differ. */
export interface FiveByteDialect {
  /** Bits of byte 0 and of byte 2 that mean there is no finger in the probe. */
  readonly offBits0: number;
  readonly offBits2: number;
  /** Bits that the device sets itself when there is no finger: what the encoder writes. */
  readonly writeOff0: number;
  readonly writeOff2: number;
  readonly plethMax: number;
  /** Pleth 0 means there is none. */
  readonly zeroIsInvalid: boolean;
}

/** Decoder of Contec's old protocol and of BCI. */
export class FiveByteDecoder implements Decoder, SeptetRule {
  readonly packetBytes = PACKET_BYTES;
  private readonly framer: SeptetFramer;
  private readonly values: OximeterValues;
  private beeping: boolean | null = null;

  constructor(
    private readonly sink: ReadingSink,
    private readonly dialect: FiveByteDialect,
  ) {
    this.values = new OximeterValues(sink);
    this.framer = new SeptetFramer(this, (reason, bytes) => {
      // Without the packet before, a beep may be any part of it, and numbers have nothing to agree with.
      this.beeping = null;
      this.values.reset();
      sink.dropped(reason, bytes);
    });
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.values.reset();
    this.beeping = null;
  }

  plausible(bytes: Uint8Array, from: number): boolean {
    return bytes[from + 1]! <= this.dialect.plethMax;
  }

  packet(bytes: Uint8Array, from: number): void {
    const { sink, dialect } = this;
    const flags = bytes[from]!;
    const pleth = bytes[from + 1]!;
    const more = bytes[from + 2]!;
    const on = (flags & dialect.offBits0) === 0 && (more & dialect.offBits2) === 0;
    sink.contact(on);
    const rate = ((more & RATE_HIGH) << 1) | bytes[from + 3]!;
    this.values.packet(rate, bytes[from + 4]!, on && (more & SEARCHING) === 0);
    const beep = (flags & BEEP) !== 0;
    if (beep && this.beeping === false && on) sink.beat();
    this.beeping = beep;
    sink.sample(dialect.zeroIsInvalid && pleth === 0 ? Number.NaN : pleth);
    sink.frame();
  }
}

/** Encoder of Contec's old protocol and of BCI. */
export class FiveByteEncoder extends IgnoringSink {
  private rate = rateField(0);
  private percent = spo2Field(0);
  private on = true;
  private beepPackets = 0;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    private readonly dialect: FiveByteDialect,
  ) {
    super();
  }

  override contact(on: boolean): void {
    this.on = on;
  }

  override heartRate(hrBpm: number): void {
    this.rate = rateField(hrBpm);
  }

  override spo2(percent: number): void {
    this.percent = spo2Field(percent);
  }

  override beat(): void {
    this.beepPackets = BEEP_PACKETS;
  }

  override sample(value: number): void {
    const { dialect, on } = this;
    const pleth = toField(value, dialect.zeroIsInvalid ? 1 : 0, dialect.plethMax, 0);
    const beep = this.beepPackets > 0;
    if (beep) this.beepPackets--;
    const rate = on ? this.rate : rateField(0);
    const flags = START | (beep ? BEEP : 0) | (on ? SIGNAL : dialect.writeOff0);
    const bar = on ? Math.round((15 * pleth) / dialect.plethMax) : dialect.writeOff2;
    const spo2 = on ? this.percent : spo2Field(0);
    this.write(Uint8Array.of(flags, pleth, bar | ((rate & 0x80) >> 1), rate & 0x7f, spo2));
  }
}
