/** MQTT protocol level: 4 is 3.1.1. */
export type MqttVersion = 4 | 5;

interface Broker {
  readonly url: string;
  version: MqttVersion;
  /** It keeps retained messages; false: it refuses whoever wants that. */
  retains: boolean;
}

/** The brokers of the config and which is tried next. The first is home; the others are tried in their order. */
export class Brokers {
  private readonly all: readonly Broker[];
  private at = 0;
  /** Brokers tried in vain since the last connection. */
  private failures = 0;

  constructor(urls: readonly string[], version: MqttVersion) {
    this.all = urls.map((url) => ({ url, version, retains: true }));
  }

  get url(): string {
    return this.current.url;
  }

  get version(): MqttVersion {
    return this.current.version;
  }

  set version(version: MqttVersion) {
    this.current.version = version;
  }

  get retains(): boolean {
    return this.current.retains;
  }

  set retains(retains: boolean) {
    this.current.retains = retains;
  }

  /** The first broker is the one in use. */
  get isHome(): boolean {
    return this.at === 0;
  }

  get home(): Readonly<Broker> {
    return this.broker(0);
  }

  /** The next attempt goes to the first broker. */
  goHome(): void {
    this.at = 0;
    this.failures = 0;
  }

  connected(): void {
    this.failures = 0;
  }

  /** The current one cannot be reached. True when every broker has been tried since the last wait. */
  failed(): boolean {
    this.at = (this.at + 1) % this.all.length;
    this.failures++;
    return this.failures % this.all.length === 0;
  }

  private get current(): Broker {
    return this.broker(this.at);
  }

  private broker(index: number): Broker {
    const broker = this.all[index];
    if (!broker) throw new RangeError('no broker is configured');
    return broker;
  }
}
