import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import { findAsset } from './dashboard/assets.js';
import { EventStream } from './event-stream.js';

/** What the web server shows; the daemon fills it in. */
export interface WebView {
  /** Alive: the event loop turns and the watchdog is content. */
  live(): { healthy: boolean; reasons: readonly string[] };
  ready(): { ready: boolean; reasons: readonly string[] };
  metricsText(): Promise<string>;
  /** Everything the dashboard starts from, as JSON. */
  status(): unknown;
}

export interface WebServerOptions {
  readonly host: string;
  readonly port: number;
  /** Asked of every request when set; must be set when `host` is not loopback. */
  readonly token: string | null;
  readonly view: WebView;
}

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/** No script but our own files, no framing, nothing from elsewhere. */
const SECURITY_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

/** Health, metrics, live events and the dashboard on one small server. */
export class WebServer {
  readonly events = new EventStream();
  private readonly server: Server;

  /** @throws Error where it would be open to the network without a token */
  constructor(private readonly options: WebServerOptions) {
    if (!isLoopback(options.host) && !options.token) {
      throw new Error(`http.host ${options.host} is open to the network: set http.tokenFile, or listen on 127.0.0.1`);
    }
    this.server = createServer((request, response) => {
      this.handle(request, response).catch((error: Error) => {
        if (!response.headersSent) send(response, 500, 'text/plain', `internal error: ${error.message}\n`);
        else response.destroy();
      });
    });
    this.server.headersTimeout = 5000;
    this.server.requestTimeout = 10_000;
    this.server.maxConnections = 256;
  }

  /** @returns the URL it listens on */
  listen(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.server.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          error.code === 'EADDRINUSE'
            ? new Error(`http port ${this.options.port} is taken: set http.port to a free one (0 takes any)`)
            : error,
        ),
      );
      this.server.listen(this.options.port, this.options.host, () => {
        const { port } = this.server.address() as AddressInfo;
        const host = isIP(this.options.host) === 6 ? `[${this.options.host}]` : this.options.host;
        resolve(`http://${host}:${port}/`);
      });
    });
  }

  async close(): Promise<void> {
    this.events.close();
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { view, token } = this.options;
    if (!this.hostAllowed(request)) return send(response, 421, 'text/plain', 'unknown host name\n');
    if (token && !tokenMatches(request, token)) {
      response.setHeader('WWW-Authenticate', 'Bearer realm="slothd"');
      return send(response, 401, 'text/plain', 'a bearer token is needed\n');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return send(response, 405, 'text/plain', 'only GET\n');
    }
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    switch (path) {
      case '/livez': {
        const { healthy, reasons } = view.live();
        return send(response, healthy ? 200 : 503, 'text/plain', healthy ? 'ok\n' : `${reasons.join('\n')}\n`);
      }
      case '/readyz': {
        const verdict = view.ready();
        return send(response, verdict.ready ? 200 : 503, 'application/json', `${JSON.stringify(verdict)}\n`);
      }
      case '/metrics':
        return send(response, 200, 'text/plain; version=0.0.4; charset=utf-8', await view.metricsText());
      case '/status':
        return send(response, 200, 'application/json', JSON.stringify(view.status()));
      case '/events':
        return this.events.attach(response, SECURITY_HEADERS);
      default: {
        const asset = await findAsset(path);
        if (!asset) return send(response, 404, 'text/plain', 'not found\n');
        return send(response, 200, asset.type, asset.body);
      }
    }
  }

  /** A page elsewhere that resolves its own name to 127.0.0.1 must not read a heart (DNS rebinding). */
  private hostAllowed(request: IncomingMessage): boolean {
    if (!isLoopback(this.options.host)) return true;
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').toLowerCase();
    return LOOPBACK_NAMES.has(host);
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function tokenMatches(request: IncomingMessage, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const a = Buffer.from(given);
  const b = Buffer.from(token);
  return a.length === b.length && timingSafeEqual(a, b);
}

function send(response: ServerResponse, status: number, type: string, body: string | Buffer): void {
  response.writeHead(status, { ...SECURITY_HEADERS, 'Content-Type': type });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
