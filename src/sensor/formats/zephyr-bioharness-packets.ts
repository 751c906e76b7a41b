import { u16 } from './zephyr-frame.js';

/* Packets of the Zephyr BioHarness 3, offsets in the payload. All begin with a counter and the device's date and time. */
export const GENERAL = 0x20;
export const ECG = 0x22;
export const LIFE_SIGN = 0x23;
export const RR = 0x24;
export const SUMMARY = 0x2b;

/** Commands that switch a packet on (payload 01) or off (00). */
export const SET_GENERAL = 0x14;
export const SET_ECG = 0x16;
export const SET_RR = 0x19;

export const BODY = 9;
export const GENERAL_BYTES = 53;
export const GENERAL_STATUS = 51;
export const ECG_BYTES = 88;
export const ECG_SAMPLES = 63;
export const ECG_RATE_HZ = 250;
export const ECG_MAX = 1023;
export const ECG_MID = 512;
export const RR_BYTES = 45;
export const RR_VALUES = 18;
export const NO_VALUE = 0xffff;

/** Payload length of the packets that are read. */
export const PACKET_BYTES: ReadonlyMap<number, number> = new Map([
  [GENERAL, GENERAL_BYTES],
  [ECG, ECG_BYTES],
  [RR, RR_BYTES],
  [SUMMARY, 71],
]);

/** The slow numbers of a General or Summary packet. */
export class Vitals {
  hrBpm = Number.NaN;
  worn = false;
  batteryPercent = Number.NaN;

  /** Reads a General packet. A rate the device itself calls of low quality is none. */
  general(bytes: Uint8Array, payload: number): void {
    const status = u16(bytes, payload + GENERAL_STATUS);
    this.worn = (status & 0x8000) !== 0;
    this.rate(u16(bytes, payload + BODY), (status & 0x2000) === 0);
    this.battery(status & 0x7f);
  }

  /** Reads a Summary packet of version 2 or 3; false for another version. */
  summary(bytes: Uint8Array, payload: number): boolean {
    const version = bytes[payload + BODY]!;
    if (version !== 2 && version !== 3) return false;
    const status = u16(bytes, payload + (version === 2 ? 56 : 32));
    this.worn = (status & 0x0008) === 0;
    this.rate(u16(bytes, payload + 10), (status & 0x0010) === 0);
    this.battery(bytes[payload + (version === 2 ? 24 : 20)]!);
    return true;
  }

  private rate(hrBpm: number, reliable: boolean): void {
    this.hrBpm = this.worn && reliable && hrBpm !== NO_VALUE ? hrBpm : Number.NaN;
  }

  private battery(percent: number): void {
    this.batteryPercent = percent <= 100 ? percent : Number.NaN;
  }
}

/** The device's date and time of a packet, ms since 1970 as if it were UTC. */
export function packetTimeMs(bytes: Uint8Array, payload: number): number {
  const midnightMs = Date.UTC(u16(bytes, payload + 1), bytes[payload + 3]! - 1, bytes[payload + 4]!);
  return midnightMs + u16(bytes, payload + 5) + u16(bytes, payload + 7) * 65_536;
}

/** Sample `index` of a row of 10-bit numbers packed low bit first. */
export function tenBits(bytes: Uint8Array, from: number, index: number): number {
  const bit = 10 * index;
  const at = from + (bit >> 3);
  return ((bytes[at]! | (bytes[at + 1]! << 8)) >> (bit & 7)) & 0x3ff;
}
