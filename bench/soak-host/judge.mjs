// What came of it: every alert event of every daemon, how long the rules' alarms took, and everything that is wrong.
import mqtt from 'mqtt';
import { percentile } from '../lib/processes.mjs';
import { STRAPS } from './ward.mjs';

/** An alarm whose line was written within this of a kill (or of the respawn that followed) counts as "beside a kill". */
const BESIDE_MS = 1000;

export class Judge {
  #wards;
  #alerts = new Map();
  /** [from, to] of each disturbance, by ward. */
  #disturbed = new Map();
  #delays = [];
  #unexpected = 0;
  /** Straps one of whose alarms never came, once for each. */
  #missed = [];
  #twice = 0;

  static async connect(url, wards) {
    const client = await mqtt.connectAsync(url, { clientId: 'soak-host', clean: false });
    const judge = new Judge(client, wards);
    await client.subscribeAsync('slothd/+/+/alert', { qos: 1 });
    return judge;
  }

  constructor(client, wards) {
    this.client = client;
    this.#wards = wards;
    client.on('message', (topic, payload) => this.#take(topic.split('/'), JSON.parse(payload.toString())));
  }

  disturbed(ward, fromMs, toMs) {
    const list = this.#disturbed.get(ward.name) ?? [];
    this.#disturbed.set(ward.name, list);
    list.push([fromMs - BESIDE_MS, toMs + BESIDE_MS]);
  }

  /** Everything that is wrong with the alerts, in words. @param mayStayOpen kinds that need not have ended */
  faults(mayStayOpen) {
    const wrong = [];
    for (const events of this.#alerts.values()) {
      const { node, sensor, kind, id } = events[0];
      const name = `${kind} of ${node}/${sensor} (${id})`;
      const sequences = events.map(({ sequence }) => sequence);
      if (sequences.some((sequence, i) => sequence !== i + 1)) wrong.push(`${name}: sequence ${sequences.join(' ')}`);
      for (const once of ['new', 'end']) {
        const count = events.filter(({ event }) => event === once).length;
        const stands = once === 'end' && count === 0 && mayStayOpen.has(kind);
        if (count !== 1 && !stands) wrong.push(`${name}: ${count} times ${once}`);
      }
    }
    for (const strap of this.#missed) wrong.push(`${strap}: an alarm of the rules never came`);
    for (const ward of this.#wards)
      for (let i = 0; i < STRAPS; i++)
        if (ward.expected[i].length > 0)
          wrong.push(`${ward.name}/strap${i}: ${ward.expected[i].length} alarms of the rules never came`);
    if (this.#unexpected > 0) wrong.push(`${this.#unexpected} alarms of the straps that no line had caused`);
    return wrong;
  }

  summary() {
    const kinds = {};
    for (const [{ kind }] of this.#alerts.values()) kinds[kind] = (kinds[kind] ?? 0) + 1;
    const beside = this.#delays.filter((one) => this.#isBeside(one)).map(({ ms }) => ms);
    const calm = this.#delays.filter((one) => !this.#isBeside(one)).map(({ ms }) => ms);
    return {
      alerts: { distinct: this.#alerts.size, deliveredTwice: this.#twice, kinds },
      ruleAlarmsMs: { besideAKill: delays(beside), otherwise: delays(calm) },
    };
  }

  close() {
    return this.client.endAsync(true);
  }

  #take([, node, sensor], event) {
    const nowMs = performance.now();
    const events = this.#alerts.get(event.id) ?? [];
    if (events.some(({ sequence }) => sequence === event.sequence)) {
      this.#twice++;
      return;
    }
    this.#alerts.set(event.id, events);
    events.push(event);
    const strap = /^strap(\d)$/.exec(sensor);
    if (!strap || event.kind !== 'extreme-bradycardia' || event.event === 'update') return;
    const ward = this.#wards.find(({ name }) => name === node);
    // The newest line that can have caused it; what older lines should have caused has not come.
    const expected = ward?.expected[Number(strap[1])] ?? [];
    const at = expected.findLastIndex((one) => one.event === event.event);
    if (at < 0) {
      this.#unexpected++;
      return;
    }
    const [cause] = expected.splice(0, at + 1).slice(-1);
    this.#missed.push(...Array.from({ length: at }, () => `${node}/${sensor}`));
    this.#delays.push({ node, writtenMs: cause.writtenMs, ms: nowMs - cause.writtenMs });
  }

  #isBeside({ node, writtenMs }) {
    return (this.#disturbed.get(node) ?? []).some(([from, to]) => writtenMs >= from && writtenMs <= to);
  }
}

export function delays(list) {
  const at = (share) => (list.length === 0 ? null : Math.round(percentile(list, share) * 100) / 100);
  return { count: list.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}
