import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { gzipSync } from 'node:zlib';
import { findAsset } from './dashboard/assets.js';
import { EventStream } from './event-stream.js';
import { HttpGuard, isLoopback, type Refusal } from './http-guard.js';
import { OPENMETRICS_TYPE, PROMETHEUS_TYPE } from './metrics.js';

/** What the web server shows; the daemon fills it in. Whatever is `unknown` goes out as JSON. */
export interface WebView {
  /** Alive: the event loop turns and the watchdog is content. */
  live(): { healthy: boolean; reasons: readonly string[] };
  ready(): { ready: boolean; reasons: readonly string[]; notes?: readonly string[] };
  metricsText(openMetrics: boolean): Promise<string>;
  /** Everything the dashboard starts from. */
  status(): unknown;
  about(): unknown;
  /** Latency per stage: budgets, the last hour, the spread of inference times. */
  latency(): unknown;
  /**
   * The alerts remembered, newest first, as far as the query asks for them.
   * @throws Error whose message is for a person
   */
  alerts(query: Readonly<Record<string, string>>): unknown;
  /** The same as CSV. */
  alertsCsv?(query: Readonly<Record<string, string>>): string;
  /** One alert with its evidence, or a promise of it; null where there is none of this id. */
  alert(id: string): unknown;
  /** The raw stretch an alert was decided on, as a file for `slothd replay`; null where there is none. */
  recording?(id: string): Promise<Uint8Array | null> | null;
  /**
   * Carries out `ack`, `snooze` or `test`.
   * @throws Error whose message is for a person
   */
  command(verb: string, args: Readonly<Record<string, unknown>>): unknown;
}

export interface WebServerOptions {
  readonly host: string;
  readonly port: number;
  /** Asked of every request when set; must be set when `host` is not loopback. */
  readonly token: string | null;
  readonly view: WebView;
}

/** No script but our own files, no framing, nothing from elsewhere. */
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

const COMMAND_PATHS: Readonly<Record<string, string>> = {
  '/alerts/ack': 'ack',
  '/alerts/snooze': 'snooze',
  '/alerts/test': 'test',
};
const MAX_BODY_BYTES = 16 * 1024;
/** Below this gzip costs more than it saves. */
const MIN_GZIP_BYTES = 1024;
const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';

/** The server cannot listen as the config says; the message tells what to change. */
export class WebServerError extends Error {
  override readonly name = 'WebServerError';
}

/** Health, metrics, live events, the dashboard and its buttons on one small server. */
export class WebServer {
  readonly events = new EventStream();
  private readonly server: Server;
  private readonly guard: HttpGuard;

  /** @throws WebServerError where it would be open to the network without a token */
  constructor(private readonly options: WebServerOptions) {
    if (!isLoopback(options.host) && !options.token) {
      throw new WebServerError(
        `http.host ${options.host} is open to the network: set http.tokenFile, or listen on 127.0.0.1`,
      );
    }
    this.guard = new HttpGuard(options.host, options.token);
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: Error) => {
        if (!response.headersSent) send(response, 500, TEXT_TYPE, `internal error: ${error.message}\n`);
        else response.destroy();
      });
    });
    this.server.headersTimeout = 5000;
    this.server.requestTimeout = 10_000;
    this.server.maxConnections = 256;
  }

  /**
   * @returns the URL it listens on
   * @throws WebServerError where that is not possible
   */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) => reject(new WebServerError(this.cannotListen(error))));
      this.server.listen(this.options.port, this.options.host, () => {
        const { port } = this.server.address() as AddressInfo;
        const host = isIP(this.options.host) === 6 ? `[${this.options.host}]` : this.options.host;
        resolve(`http://${host}:${port}/`);
      });
    });
  }

  private cannotListen({ code, message }: NodeJS.ErrnoException): string {
    const { host, port } = this.options;
    switch (code) {
      case 'EADDRINUSE':
        return `http port ${port} is taken: set http.port to a free one (0 takes any)`;
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        return `http.host ${host} is no address of this machine: set it to one that is, such as 127.0.0.1`;
      case 'EACCES':
        return `http port ${port} needs rights that slothd does not have: set http.port to 1024 or more`;
      default:
        return `http cannot listen on ${host} port ${port}: ${message}`;
    }
  }

  async close(): Promise<void> {
    this.events.close();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.guard.check(request);
    if (refusal) return refuse(response, refusal);
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const verb = Object.hasOwn(COMMAND_PATHS, path) ? COMMAND_PATHS[path] : undefined;
    if (verb) return this.command(verb, request, response);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return refuse(response, { status: 405, text: 'only GET\n', headers: { Allow: 'GET, HEAD' } });
    }
    return this.show(path, request, response);
  }

  private async show(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { view } = this.options;
    const json = (value: unknown, status = 200) => send(response, status, JSON_TYPE, `${JSON.stringify(value)}\n`);
    switch (path) {
      case '/livez': {
        const { healthy, reasons } = view.live();
        return send(response, healthy ? 200 : 503, TEXT_TYPE, healthy ? 'ok\n' : `${reasons.join('\n')}\n`);
      }
      case '/readyz': {
        const verdict = view.ready();
        return json(verdict, verdict.ready ? 200 : 503);
      }
      case '/metrics': {
        const open = /application\/openmetrics-text/.test(request.headers.accept ?? '');
        return send(response, 200, open ? OPENMETRICS_TYPE : PROMETHEUS_TYPE, await view.metricsText(open));
      }
      case '/status':
        return json(view.status());
      case '/about':
        return json(view.about());
      case '/latency':
        return json(view.latency());
      case '/alerts':
        return this.alerts(request, response);
      case '/events':
        return this.events.attach(response, SECURITY_HEADERS);
    }
    const recorded = /^\/alerts\/([\w-]{1,64})\/recording$/.exec(path)?.[1];
    if (recorded !== undefined) {
      const file = await view.recording?.(recorded);
      if (!file) return send(response, 404, TEXT_TYPE, 'no recording of this alert\n');
      return send(response, 200, 'application/octet-stream', Buffer.from(file));
    }
    const id = /^\/alerts\/([\w-]{1,64})$/.exec(path)?.[1];
    const alert = id === undefined ? null : await view.alert(id);
    if (alert) return json(alert);
    const asset = await findAsset(path);
    if (!asset) return send(response, 404, TEXT_TYPE, 'not found\n');
    return send(response, 200, asset.type, asset.body, asset.gzipped);
  }

  private alerts(request: IncomingMessage, response: ServerResponse): void {
    const { view } = this.options;
    const params = Object.fromEntries(new URL(request.url ?? '/', 'http://localhost').searchParams);
    try {
      if (params.format === 'csv' && view.alertsCsv) {
        send(response, 200, 'text/csv; charset=utf-8', view.alertsCsv(params));
      } else send(response, 200, JSON_TYPE, `${JSON.stringify(view.alerts(params))}\n`);
    } catch (error) {
      send(response, 400, JSON_TYPE, `${JSON.stringify({ error: (error as Error).message })}\n`);
    }
  }

  private async command(verb: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') {
      return refuse(response, { status: 405, text: 'only POST\n', headers: { Allow: 'POST' } });
    }
    const refusal = this.guard.checkCommand(request);
    if (refusal) return refuse(response, refusal);
    const body = await readBody(request);
    if (body === null) return refuse(response, { status: 413, text: `at most ${MAX_BODY_BYTES} bytes\n` });
    const answer = (status: number, value: object) => send(response, status, JSON_TYPE, `${JSON.stringify(value)}\n`);
    let args: unknown;
    try {
      args = JSON.parse(body);
    } catch {
      return answer(400, { ok: false, error: 'the body is not JSON' });
    }
    if (typeof args !== 'object' || args === null || Array.isArray(args)) {
      return answer(400, { ok: false, error: 'the body must be a JSON object' });
    }
    try {
      const result = await this.options.view.command(verb, args as Record<string, unknown>);
      return answer(200, { ok: true, result: result ?? null });
    } catch (error) {
      return answer(400, { ok: false, error: (error as Error).message });
    }
  }
}

/** @returns the body as text, or null where it is too long */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function refuse(response: ServerResponse, { status, text, headers }: Refusal): void {
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  // What is left of a body nobody will read must not be taken for the next request.
  response.setHeader('Connection', 'close');
  send(response, status, TEXT_TYPE, text);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer, gzipped?: Buffer): void {
  const { req } = response;
  const wantsGzip = /\bgzip\b/.test(String(req.headers['accept-encoding'] ?? ''));
  const packed = wantsGzip ? (gzipped ?? (body.length >= MIN_GZIP_BYTES ? gzipSync(body) : undefined)) : undefined;
  const sent = packed ?? Buffer.from(body);
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    'Content-Type': type,
    'Content-Length': sent.length,
    Vary: 'Accept-Encoding',
    ...(packed ? { 'Content-Encoding': 'gzip' } : {}),
  });
  response.end(req.method === 'HEAD' ? undefined : sent);
}
