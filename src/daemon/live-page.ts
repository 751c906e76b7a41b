import type { Config } from '../config/schema.js';
import type { Timers } from '../domain/clock.js';
import type { EventStream } from '../watch/event-stream.js';
import { WebServer, type WebView } from '../watch/http.js';
import type { Station } from './station.js';

export interface LivePageOptions {
  readonly http: Config['http'];
  /** Token of the web server, already read from its file. */
  readonly token: string | null;
  readonly timers: Timers;
  readonly stations: ReadonlyMap<string, Station>;
}

/** Of the live trace. */
const TRACE_MS = 40;

/** The web server of a daemon and what it shows live; nothing is gathered while nobody looks. */
export class LivePage {
  private web: WebServer | null = null;
  private address: string | null = null;
  private cancelTrace = () => {};

  constructor(private readonly options: LivePageOptions) {}

  /** Where the dashboard is; null where it is off. */
  get url(): string | null {
    return this.address;
  }

  /** Where live pictures go; null while the web server is off. */
  get events(): EventStream | null {
    return this.web?.events ?? null;
  }

  get isWatched(): boolean {
    return (this.web?.events.size ?? 0) > 0;
  }

  async start(view: WebView): Promise<void> {
    const { http, token } = this.options;
    if (!http.enabled) return;
    const web = new WebServer({ host: http.host, port: http.port, token, view });
    this.address = await web.listen();
    this.web = web;
    web.events.onFirst = () => {
      this.cancelTrace();
      this.showTraces();
    };
  }

  /** Shows one event to who looks. */
  show(name: string, data: unknown): void {
    this.web?.events.emit(name, data);
  }

  /** No more live traces. */
  stop(): void {
    this.cancelTrace();
  }

  async close(): Promise<void> {
    this.stop();
    await this.web?.close();
  }

  /** Runs while somebody looks: 25 wake-ups a second are half of what an idle daemon costs. */
  private showTraces(): void {
    if (!this.isWatched) return;
    for (const station of this.options.stations.values()) station.showTrace();
    this.cancelTrace = this.options.timers.after(TRACE_MS, () => this.showTraces());
  }
}
