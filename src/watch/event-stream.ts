import type { ServerResponse } from 'node:http';

/** A browser that lags by more than this loses events until it has caught up; the daemon never waits for it. */
const MAX_BUFFERED_BYTES = 512 * 1024;
const MAX_CLIENTS = 64;
const KEEPALIVE_MS = 15_000;

/** Server-sent events to any number of browsers. */
export class EventStream {
  private readonly clients = new Set<ServerResponse>();
  private readonly keepAlive: NodeJS.Timeout;
  skipped = 0;
  /** Called when the first browser begins to listen: what is gathered for browsers alone may rest until then. */
  onFirst: () => void = () => {};

  constructor() {
    this.keepAlive = setInterval(() => this.write(': still here\n\n'), KEEPALIVE_MS);
    this.keepAlive.unref();
  }

  get size(): number {
    return this.clients.size;
  }

  attach(response: ServerResponse, headers: Record<string, string>): void {
    if (this.clients.size >= MAX_CLIENTS) {
      response.writeHead(503, headers).end('too many listeners\n');
      return;
    }
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
    response.write('retry: 1000\n\n');
    this.clients.add(response);
    response.on('close', () => this.clients.delete(response));
    if (this.clients.size === 1) this.onFirst();
  }

  /** Nothing is serialised while nobody listens. */
  emit(event: string, data: unknown): void {
    if (this.clients.size > 0) this.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  close(): void {
    clearInterval(this.keepAlive);
    for (const client of this.clients) client.end();
    this.clients.clear();
  }

  private write(text: string): void {
    for (const client of this.clients) {
      if (client.writableLength > MAX_BUFFERED_BYTES) this.skipped++;
      else client.write(text);
    }
  }
}
