import type { Carries, Decoder, Format, FormatOptions, HostCommands, ReadingSink } from '../../domain/reading.js';
import { AntFramer, antMessage } from './ant-frame.js';
import { IgnoringSink, toField } from './ignoring-sink.js';
import { choiceOption, integerOption } from './options.js';

/* ANT+ Device Profile Heart Rate Monitor; message ids of the ANT protocol. */
const SET_NETWORK_KEY = 0x46;
const ASSIGN_CHANNEL = 0x42;
const SET_CHANNEL_ID = 0x51;
const CHANNEL_PERIOD = 0x43;
const SEARCH_TIMEOUT = 0x44;
const RF_FREQUENCY = 0x45;
const OPEN_CHANNEL = 0x4b;
const CLOSE_CHANNEL = 0x4c;
const BROADCAST = 0x4e;
const ACKNOWLEDGED = 0x4f;
const HEART_RATE_MONITOR = 0x78;
const PAIRING_BIT = 0x80;
const RF_2457_MHZ = 57;
const PERIOD_8070 = [0x86, 0x1f] as const;
const NEVER = 0xff;

/** Channel number and eight payload bytes. */
const DATA_BYTES = 9;
const HAS_CHANNEL_ID = 0x80;
const TOGGLE = 0x80;
const PREVIOUS_BEAT_PAGE = 4;
const BATTERY_PAGE = 7;
const TICKS_PER_MS = 1.024;
const TICK_MODULUS = 65_536;
const BEAT_MODULUS = 256;
/** A bigger jump of the beat count is a strap that began anew. */
const MOST_MISSED_BEATS = 128;
/** 4.06 messages a second: a beat count that stands still this long means a rate of the past (5 s). */
const MESSAGES_UNTIL_STALE = 20;
const MESSAGES_PER_SECOND = 4;

const MODES = ['open', 'listen'] as const;

function channelOf(options: FormatOptions): number {
  return integerOption(options, 'channel', 0, 0, 31);
}

function deviceOf(options: FormatOptions): number {
  return integerOption(options, 'deviceNumber', 0, 0, 65_535);
}

function networkKey(options: FormatOptions): readonly number[] {
  const text = options.networkKey ?? '';
  const digits = typeof text === 'string' ? text.replaceAll(/[\s:-]/g, '') : '';
  if (/^[0-9a-f]{16}$/i.test(digits)) return [...Buffer.from(digits, 'hex')];
  // The value is a secret: it is not repeated here.
  const wrong = text === '' ? 'is not set' : 'is not 8 bytes as 16 hex digits';
  throw new Error(
    `option networkKey: ${wrong}; ANT+ needs the network key that adopters get at thisisant.com, or mode: listen where something else opens the channel`,
  );
}

function carries(options: FormatOptions): Carries {
  channelOf(options);
  deviceOf(options);
  choiceOption(options, 'mode', 'open', MODES);
  return {
    waveform: null,
    beatFlags: false,
    rr: true,
    heartRate: true,
    spo2: false,
    contact: false,
    battery: true,
  };
}

/**
 * No reset ahead: it would need a pause. A channel that is open already refuses these commands and goes on, which is as
 * good.
 */
function commands(options: FormatOptions): HostCommands {
  if (choiceOption(options, 'mode', 'open', MODES) === 'listen') return {};
  const channel = channelOf(options);
  const device = deviceOf(options);
  const network = 0;
  return {
    start: Buffer.concat([
      antMessage(SET_NETWORK_KEY, [network, ...networkKey(options)]),
      antMessage(ASSIGN_CHANNEL, [channel, 0, network]),
      antMessage(SET_CHANNEL_ID, [channel, device & 0xff, device >> 8, HEART_RATE_MONITOR, 0]),
      antMessage(RF_FREQUENCY, [channel, RF_2457_MHZ]),
      antMessage(CHANNEL_PERIOD, [channel, ...PERIOD_8070]),
      antMessage(SEARCH_TIMEOUT, [channel, NEVER]),
      antMessage(OPEN_CHANNEL, [channel]),
    ]),
    stop: antMessage(CLOSE_CHANNEL, [channel]),
  };
}

class AntHrmDecoder implements Decoder {
  private readonly framer: AntFramer;
  private readonly channel: number;
  private readonly device: number;
  private toggle = -1;
  /** Old straps never flip the toggle, and have no pages: bytes 1 to 3 mean something only once it has flipped. */
  private hasPages = false;
  private beatCount = -1;
  private beatTick = 0;
  private messagesSinceBeat = 0;

  constructor(
    private readonly sink: ReadingSink,
    options: FormatOptions,
  ) {
    this.channel = channelOf(options);
    this.device = deviceOf(options);
    this.framer = new AntFramer(
      (id, bytes, data, length) => this.message(id, bytes, data, length),
      (reason, bytes) => sink.dropped(reason, bytes),
    );
  }

  push(chunk: Uint8Array): void {
    this.framer.push(chunk);
  }

  reset(): void {
    this.framer.reset();
    this.toggle = -1;
    this.hasPages = false;
    this.beatCount = -1;
    this.messagesSinceBeat = 0;
  }

  /** Answers, events and messages of other channels are whole and right, and say nothing about this heart. */
  private message(id: number, bytes: Uint8Array, data: number, length: number): void {
    if (id !== BROADCAST && id !== ACKNOWLEDGED) return;
    if (length < DATA_BYTES) {
      this.sink.dropped('framing', length);
      return;
    }
    if (bytes[data] !== this.channel || !this.isOurs(bytes, data, length)) return;
    this.page(bytes, data + 1);
    this.sink.frame();
  }

  /** With extended messages switched on the sender is told: flag 80, device number, type. */
  private isOurs(bytes: Uint8Array, data: number, length: number): boolean {
    const extension = data + DATA_BYTES;
    if (length < DATA_BYTES + 5 || (bytes[extension]! & HAS_CHANNEL_ID) === 0) return true;
    const number = bytes[extension + 1]! | (bytes[extension + 2]! << 8);
    const type = bytes[extension + 3]! & ~PAIRING_BIT;
    return type === HEART_RATE_MONITOR && (this.device === 0 || number === this.device);
  }

  private page(bytes: Uint8Array, payload: number): void {
    const { sink } = this;
    const toggle = bytes[payload]! & TOGGLE;
    if (this.toggle >= 0 && toggle !== this.toggle) this.hasPages = true;
    this.toggle = toggle;
    const page = this.hasPages ? bytes[payload]! & ~TOGGLE : 0;
    const tick = bytes[payload + 4]! | (bytes[payload + 5]! << 8);
    const previousTick = page === PREVIOUS_BEAT_PAGE ? bytes[payload + 2]! | (bytes[payload + 3]! << 8) : this.beatTick;
    const percent = bytes[payload + 1]!;
    if (page === BATTERY_PAGE && percent <= 100) sink.battery(percent);
    this.beats(bytes[payload + 6]!, tick, page === PREVIOUS_BEAT_PAGE, previousTick);
    sink.heartRate(this.messagesSinceBeat < MESSAGES_UNTIL_STALE ? bytes[payload + 7]! : Number.NaN);
  }

  /** The same beat stands in several messages; only the count tells a new one. */
  private beats(count: number, tick: number, hasPrevious: boolean, previousTick: number): void {
    const { sink } = this;
    const first = this.beatCount < 0;
    const fresh = (count - this.beatCount + BEAT_MODULUS) % BEAT_MODULUS;
    this.beatCount = count;
    this.beatTick = tick;
    this.messagesSinceBeat = first || fresh > 0 ? 0 : this.messagesSinceBeat + 1;
    if (first || fresh === 0 || fresh > MOST_MISSED_BEATS) return;
    if (fresh > 1) sink.lost(fresh - 1);
    const ticks = (tick - previousTick + TICK_MODULUS) % TICK_MODULUS;
    if ((fresh === 1 || hasPrevious) && ticks > 0) sink.rr(ticks / TICKS_PER_MS);
  }
}

class AntHrmEncoder extends IgnoringSink {
  private readonly channel: number;
  private readonly beatsDue: number[] = [];
  private messages = 0;
  private count = 0;
  private tick = 0;
  private previousTick = 0;
  private rate = 0;
  private percent = Number.NaN;

  constructor(
    private readonly write: (bytes: Uint8Array) => void,
    options: FormatOptions,
  ) {
    super();
    this.channel = channelOf(options);
  }

  override heartRate(hrBpm: number): void {
    this.rate = toField(hrBpm, 0, 255, 0);
  }

  override battery(percent: number): void {
    this.percent = toField(percent, 0, 100, Number.NaN);
  }

  override rr(rrMs: number): void {
    this.start();
    this.beatsDue.push(toField(rrMs * TICKS_PER_MS, 1, TICK_MODULUS - 1, 1));
  }

  override lost(samples: number): void {
    this.start();
    this.count = (this.count + samples) % BEAT_MODULUS;
  }

  /** One second of messages, each with the latest beat; more where there were more beats. */
  override frame(): void {
    this.start();
    for (let sent = 0; sent < MESSAGES_PER_SECOND || this.beatsDue.length > 0; sent++) {
      const ticks = this.beatsDue.shift();
      if (ticks !== undefined) {
        this.count = (this.count + 1) % BEAT_MODULUS;
        this.previousTick = this.tick;
        this.tick = (this.tick + ticks) % TICK_MODULUS;
      }
      this.send(sent === MESSAGES_PER_SECOND - 1 && !Number.isNaN(this.percent));
    }
  }

  /** One message before the first beat: a reader needs it to know which beats are new. */
  private start(): void {
    if (this.messages === 0) this.send(false);
  }

  private send(battery: boolean): void {
    // The toggle flips with every fourth message.
    const toggle = this.messages & 4 ? TOGGLE : 0;
    this.messages++;
    const page = battery
      ? [toggle | BATTERY_PAGE, this.percent, 0, 0]
      : [toggle | PREVIOUS_BEAT_PAGE, 0xff, this.previousTick & 0xff, this.previousTick >> 8];
    const beat = [this.tick & 0xff, this.tick >> 8, this.count, this.rate];
    this.write(antMessage(BROADCAST, [this.channel, ...page, ...beat]));
  }
}

/** ANT+ heart-rate straps through an ANT stick or module with a serial port: beat counts and beat times in 1/1024 s. */
export const antHrm: Format = {
  id: 'ant-hrm',
  title: 'ANT+ heart-rate strap through an ANT USB stick or module',
  serial: { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {
    networkKey: 'the ANT+ network key, 16 hex digits; adopters get it from ANT+, it is not part of slothd (none)',
    mode: 'open (slothd opens the channel), listen (something else has opened it; needs no key) (open)',
    channel: 'number of the ANT channel (0)',
    deviceNumber: "the strap's number; 0 takes the first that is heard (0)",
  },
  carries,
  commands,
  createDecoder: (sink, options) => new AntHrmDecoder(sink, options),
  createEncoder: (write, options) => new AntHrmEncoder(write, options),
};
