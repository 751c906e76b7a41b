import { connect } from 'node:net';
import { alertsCsv, parseAlertQuery } from '../../daemon/alert-query.js';
import { WebServer } from '../../watch/http.js';
import { seededRandom } from '../random.js';
import { fuzzInput } from './mutate.js';

export interface HttpFuzzReport {
  tried: number;
  /** Answered with 2xx or 3xx. */
  accepted: number;
  /** Answered with 4xx, or the connection closed. */
  refused: number;
  /** Not answered within SILENT_MS: the request was not whole, and the server waits for the rest (10 s at most). */
  waiting: number;
  /** Growth of resident memory after the first fifth, bytes. */
  grownBytes: number;
  /** Internal errors, answers that are no HTTP, sound requests that went wrong meanwhile. */
  readonly faults: string[];
}

const AT_ONCE = 8;
const SILENT_MS = 300;
const SOUND_EVERY = 500;
const MOST_KEPT_FAULTS = 20;
/** Above what the engine's own heaps swing by. */
const MOST_GROWN_BYTES = 96 * 2 ** 20;
const TOKEN = 'fuzz-token';
/** Any moment: what a query's times are told from. */
const NOW_MS = Date.UTC(2026, 0, 1);

const PATHS = [
  ...['/', '/livez', '/readyz', '/metrics', '/status', '/about', '/latency', '/events', '/dashboard.js', '/uplot.css'],
  ...['/alerts', '/alerts?limit=5&sensor=chest&kind=tachycardia', '/alerts?format=csv&since=2026-01-01T00:00:00Z'],
  ...['/alerts/a-1', '/alerts/a-1/recording'],
];
const BODY = '{"sensor":"chest","kind":"tachycardia","minutes":30}';
/** Pieces that mean something to a parser of HTTP, of URLs, of paths. */
const TELLING = [
  ...[
    '\r\n\r\n',
    '\r',
    '\n',
    '\0',
    ' ',
    '\t',
    ':',
    '%',
    '%00',
    '%2e%2e%2f',
    '../../../etc/passwd',
    '//[',
    'http://[::',
  ],
  ...['?limit=-1', '?limit=1e99', '?since=never', '&&&=', '#', '\\', '\u00e9', 'HTTP/9.9', 'HTTP/1.0', 'HTTP/1.1'],
  ...['Host: evil.example\r\n', 'Host: localhost\r\n', 'Content-Length: -1\r\n', 'Content-Length: 99999999999\r\n'],
  ...[
    'Content-Length: 0\r\nContent-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: x, chunked\r\n',
  ],
  ...['Expect: 100-continue\r\n', 'Connection: upgrade\r\nUpgrade: websocket\r\n', 'Upgrade: h2c\r\n'],
  ...[
    'Authorization: Basic \r\n',
    'Authorization: Bearer \r\n',
    `Cookie: ${'x'.repeat(20_000)}\r\n`,
    'Origin: null\r\n',
  ],
  ...['Accept-Encoding: gzip, gzip;q=0\r\n', 'Accept: application/openmetrics-text\r\n', 'Range: bytes=0-,5-\r\n'],
  ...['FFFFFFFFFFFFFFFF\r\n', '0\r\n\r\n', '{"__proto__":{}}', '['.repeat(5000), '"\\ud800"', 'GET / HTTP/1.1\r\n'],
];

/**
 * Throws damaged requests and raw bytes at the daemon's web server over loopback, every other round at one that asks for a
 * token. It must neither end nor answer with an internal error, and a sound request in between must still be answered.
 */
export async function fuzzHttp(count: number, seed = 1): Promise<HttpFuzzReport> {
  const random = seededRandom(seed);
  const report: HttpFuzzReport = { tried: 0, accepted: 0, refused: 0, waiting: 0, grownBytes: 0, faults: [] };
  const servers = [server(null), server(TOKEN)];
  const ports = await Promise.all(servers.map(async (one) => Number(new URL(await one.listen()).port)));
  let warmBytes = 0;
  try {
    for (let next = 0; next < count; ) {
      const round = Array.from({ length: Math.min(AT_ONCE, count - next) }, () => next++);
      await Promise.all(
        round.map(async (at) =>
          tally(report, `case ${at} of seed ${seed}`, await answerTo(ports[at % 2] as number, input(random))),
        ),
      );
      if (next % SOUND_EVERY < AT_ONCE || next === count)
        for (const port of ports) await checkSound(report, port, `after case ${next} of seed ${seed}`);
      if (warmBytes === 0 && next >= count / 5) warmBytes = process.memoryUsage().rss;
    }
    report.grownBytes = Math.max(0, process.memoryUsage().rss - warmBytes);
    if (report.grownBytes > MOST_GROWN_BYTES)
      fault(report, `memory grew by ${(report.grownBytes / 2 ** 20).toFixed(0)} MiB`);
  } finally {
    for (const one of servers) await one.close();
  }
  return report;
}

/** The daemon's server; the view behind it reads queries as the daemon does. */
function server(token: string | null): WebServer {
  return new WebServer({
    host: '127.0.0.1',
    port: 0,
    token,
    view: {
      live: () => ({ healthy: true, reasons: [] }),
      ready: () => ({ ready: true, reasons: [] }),
      metricsText: async () => 'slothd_build_info{version="x"} 1\n',
      status: () => ({ node: 'fuzz' }),
      about: () => ({ version: 'x' }),
      latency: () => ({ points: [] }),
      alerts: (params) => parseAlertQuery(params, NOW_MS),
      alertsCsv: (params) => {
        parseAlertQuery(params, NOW_MS);
        return alertsCsv([]);
      },
      alert: (id) => (id === 'a-1' ? { id } : null),
      recording: (id) => (id === 'a-1' ? Promise.resolve(new Uint8Array(64)) : null),
      command: (verb, args) => ({ verb, sensor: String(args.sensor) }),
    },
  });
}

/** Most begin as a sound request; a fifth is anything. */
function input(random: () => number): Buffer {
  const below = (n: number) => Math.floor(random() * n);
  const sound = request(below(4) === 0 ? 'POST' : 'GET', PATHS[below(PATHS.length)] as string, below(2) === 0);
  if (random() < 0.2) return Buffer.from(fuzzInput(Buffer.from(sound), random));
  let text = sound;
  for (let left = 1 + below(3); left > 0; left--) {
    // Anywhere, or where a header begins: there more of them are still requests.
    const at = below(2) === 0 ? below(text.length) : text.indexOf('\r\n') + 2;
    const cut = below(6) === 0 ? below(20) : 0;
    text = text.slice(0, at) + (TELLING[below(TELLING.length)] as string) + text.slice(at + cut);
  }
  return Buffer.from(text, below(2) === 0 ? 'latin1' : 'utf8');
}

function request(method: string, path: string, authorized: boolean): string {
  const head = `Host: 127.0.0.1\r\nAccept-Encoding: gzip\r\n${authorized ? `Authorization: Bearer ${TOKEN}\r\n` : ''}`;
  if (method === 'GET') return `GET ${path} HTTP/1.1\r\n${head}\r\n`;
  const type = `Content-Type: application/json\r\nContent-Length: ${BODY.length}\r\n`;
  return `POST /alerts/ack HTTP/1.1\r\n${head}${type}\r\n${BODY}`;
}

/** Status of the answer; 0: closed without one, -1: none came, -2: what came is no HTTP. */
function answerTo(port: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (status: number) => {
      clearTimeout(silence);
      // Without the minute that a port of ours would be kept after a polite end: a long run needs a million of them.
      socket.resetAndDestroy();
      resolve(status);
    };
    const silence = setTimeout(() => done(-1), SILENT_MS);
    socket.once('data', (chunk) => done(Number(/^HTTP\/1\.1 (\d{3}) /.exec(chunk.toString('latin1'))?.[1] ?? -2)));
    socket.once('close', () => done(0));
    socket.on('error', () => {});
    socket.write(bytes);
  });
}

async function checkSound(report: HttpFuzzReport, port: number, when: string): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/livez`, {
    headers: { Authorization: `Bearer ${TOKEN}` },
    signal: AbortSignal.timeout(5000),
  }).catch((error: Error) => error);
  if (answer instanceof Error) fault(report, `${when}: a sound request got no answer: ${answer.message}`);
  else if (answer.status !== 200) fault(report, `${when}: a sound request got ${answer.status}`);
}

function tally(report: HttpFuzzReport, name: string, status: number): void {
  report.tried++;
  if (status === -2) fault(report, `${name}: the answer is no HTTP`);
  else if (status === -1) report.waiting++;
  else if (status === 0 || (status >= 400 && status < 500)) report.refused++;
  else if (status >= 500) fault(report, `${name}: answered ${status}`);
  else report.accepted++;
}

function fault(report: HttpFuzzReport, text: string): void {
  if (report.faults.length < MOST_KEPT_FAULTS) report.faults.push(text);
}
