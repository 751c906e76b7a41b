import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Why a request is turned away; null where it may pass. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);
/** A person presses a button now and then. */
const COMMANDS_PER_SECOND = 5;
const COMMAND_BURST = 20;
/** Wrong tokens beyond this are not even looked at for a while: nobody guesses at leisure. */
const GUESSES_PER_SECOND = 5;
const GUESS_BURST = 30;

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** Who may ask: host name, token, origin, and how often. */
export class HttpGuard {
  private readonly commands: Bucket;
  private readonly guesses: Bucket;

  constructor(
    private readonly listenHost: string,
    private readonly token: string | null,
    nowMs: () => number = () => performance.now(),
  ) {
    this.commands = new Bucket(COMMANDS_PER_SECOND, COMMAND_BURST, nowMs);
    this.guesses = new Bucket(GUESSES_PER_SECOND, GUESS_BURST, nowMs);
  }

  /** Checks every request. */
  check(request: IncomingMessage): Refusal | null {
    if (!this.hostAllowed(request)) return { status: 421, text: 'unknown host name\n' };
    if (!this.token) return null;
    if (tokenMatches(request, this.token)) return null;
    if (request.headers.authorization !== undefined && !this.guesses.take()) {
      return { status: 429, text: 'too many wrong tokens\n', headers: { 'Retry-After': '1' } };
    }
    return {
      status: 401,
      text: 'a token is needed: as bearer token, or as password of any user name\n',
      // Basic, because a browser then asks for it and sends it with everything the page loads.
      headers: { 'WWW-Authenticate': 'Basic realm="slothd", charset="UTF-8"' },
    };
  }

  /** Checks a request that changes something. */
  checkCommand(request: IncomingMessage): Refusal | null {
    const { origin, host } = request.headers;
    // A page of another site may send the browser here with our cookie-less, but loopback or Basic, authority.
    if (origin !== undefined && originHost(origin) !== host?.toLowerCase()) {
      return { status: 403, text: 'only our own page may do that\n' };
    }
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      return { status: 403, text: 'only our own page may do that\n' };
    }
    // A type that a form of another site cannot send without asking first.
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
      return { status: 415, text: 'send JSON, as application/json\n' };
    }
    if (!this.commands.take()) {
      return { status: 429, text: 'too many commands; try again later\n', headers: { 'Retry-After': '1' } };
    }
    return null;
  }

  /** A page elsewhere that resolves its own name to 127.0.0.1 must not read a heart (DNS rebinding). */
  private hostAllowed(request: IncomingMessage): boolean {
    // Open to the network there is a token, and a foreign page does not have it.
    if (!isLoopback(this.listenHost)) return true;
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    return LOOPBACK_NAMES.has(host);
  }
}

class Bucket {
  private tokens: number;
  private atMs: number;

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
    private readonly nowMs: () => number,
  ) {
    this.tokens = burst;
    this.atMs = nowMs();
  }

  take(): boolean {
    const now = this.nowMs();
    this.tokens = Math.min(this.burst, this.tokens + ((now - this.atMs) / 1000) * this.perSecond);
    this.atMs = now;
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }
}

function originHost(origin: string): string | null {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    return null;
  }
}

function tokenMatches(request: IncomingMessage, token: string): boolean {
  const [, scheme, value] = /^(Bearer|Basic) (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!scheme || !value) return false;
  let given = value;
  if (scheme.toLowerCase() === 'basic') {
    const pair = Buffer.from(value, 'base64').toString('utf8');
    given = pair.slice(pair.indexOf(':') + 1);
  }
  // Hashed first, so that neither the comparison nor its refusal tells how long the token is.
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(token));
}
