// A program of somebody else's that keeps every alert event and judges what it was told.
import mqtt from 'mqtt';

export class Consumer {
  messages = 0;
  #twice = 0;
  /** Events in order of arrival, by alert id. */
  #alerts = new Map();
  #last = new Map();

  static async connect(url, root) {
    const client = mqtt.connect(url, { clientId: 'soak-consumer', clean: false, reconnectPeriod: 200 });
    const consumer = new Consumer(client, root);
    await new Promise((resolve) => client.once('connect', resolve));
    await client.subscribeAsync(`${root}/#`, { qos: 1 });
    return consumer;
  }

  constructor(client, root) {
    this.client = client;
    this.root = root;
    client.on('error', () => undefined);
    client.on('message', (topic, payload) => this.#take(topic, payload.toString()));
  }

  #take(topic, text) {
    this.messages++;
    if (!topic.endsWith('/alert')) {
      this.#last.set(topic, text);
      return;
    }
    const event = JSON.parse(text);
    const events = this.#alerts.get(event.id) ?? [];
    this.#alerts.set(event.id, events);
    if (events.some(({ sequence }) => sequence === event.sequence)) this.#twice++;
    else events.push(event);
  }

  /** Alerts that were not told to have ended. */
  open() {
    return [...this.#alerts.values()].filter((events) => events.every(({ event }) => event !== 'end'));
  }

  /** Everything that is wrong, in words. Every heart is calm by now, so nothing may still be open. */
  judge(sensors) {
    const wrong = [];
    for (const [id, events] of this.#alerts) {
      const [{ kind, sensor }] = events;
      const name = `${kind} of ${sensor} (${id})`;
      const sequences = events.map(({ sequence }) => sequence);
      if (sequences.some((sequence, i) => sequence !== i + 1)) wrong.push(`${name}: sequence ${sequences.join(' ')}`);
      for (const once of ['new', 'end']) {
        const count = events.filter(({ event }) => event === once).length;
        if (count !== 1) wrong.push(`${name}: ${count} times ${once}`);
      }
      if (events[0].event !== 'new') wrong.push(`${name}: began with ${events[0].event}`);
      const noise = sensors.some((one) => one.noise && one.name === sensor);
      if (noise && events[0].category === 'health') wrong.push(`${name}: a health alert from noise`);
    }
    for (const place of ['', ...sensors.map(({ name }) => `/${name}`)]) {
      const topic = `${this.root}${place}/availability`;
      const said = this.#last.get(topic);
      if (said !== 'online') wrong.push(`${topic} ends ${said}`);
    }
    return wrong;
  }

  counts() {
    const all = [...this.#alerts.values()];
    const kinds = {};
    for (const [{ kind }] of all) kinds[kind] = (kinds[kind] ?? 0) + 1;
    return { distinct: all.length, events: all.flat().length, twice: this.#twice, kinds };
  }

  close() {
    return this.client.endAsync(true);
  }
}
