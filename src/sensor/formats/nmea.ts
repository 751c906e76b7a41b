const STAR = '*';

/** XOR of all characters between `$` and `*`, as two upper-case hex digits. */
export function nmeaChecksum(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i++) sum ^= body.charCodeAt(i) & 0xff;
  return sum.toString(16).toUpperCase().padStart(2, '0');
}

/** `$body*HH`. */
export function nmeaSentence(body: string): string {
  return `$${body}*${nmeaChecksum(body)}`;
}

/**
 * The body of an NMEA-like sentence, its checksum verified (either case of the digits); null where it is wrong, and where
 * it is missing unless that is allowed.
 */
export function nmeaBody(line: string, allowMissing: boolean): string | null {
  const star = line.indexOf(STAR);
  if (star < 0) return allowMissing && line.startsWith('$') ? line.slice(1) : null;
  const body = line.slice(1, star);
  return line.startsWith('$') && line.slice(star + 1).toUpperCase() === nmeaChecksum(body) ? body : null;
}
