import { createHash } from 'node:crypto';

/** Names that mean something else directly under the root. */
const RESERVED = new Set(['cmd', 'about', 'health', 'availability', 'response']);
/** What devices say, by the last level of the topic. */
const SAID = new Set(['about', 'health', 'availability', 'alert', 'alarms', 'vitals']);

/**
 * A name as one topic level and as part of a Home Assistant id: letters, digits, `-` and `_`. A name that had to be
 * changed gets a short hash of the original, because two people's hearts must never end on one topic.
 */
export function topicLevel(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 63);
  if (safe === name && safe !== '' && !RESERVED.has(safe)) return safe;
  return `${safe || 'unnamed'}-${createHash('sha256').update(name).digest('hex').slice(0, 6)}`;
}

/** Every topic slothd speaks on, as the contract names them. */
export class Topics {
  readonly root: string;
  readonly availability: string;
  readonly about: string;
  readonly health: string;
  /** Subscription for commands. */
  readonly commands: string;
  /** Subscription for our own lists of open alerts. */
  readonly lists: string;
  /** Subscription for what is said of our sensors' availability. */
  readonly availabilities: string;

  constructor(
    private readonly baseTopic: string,
    node: string,
  ) {
    this.root = `${baseTopic}/${topicLevel(node)}`;
    this.availability = `${this.root}/availability`;
    this.about = `${this.root}/about`;
    this.health = `${this.root}/health`;
    this.commands = `${this.root}/cmd/+`;
    this.lists = `${this.root}/+/alarms`;
    this.availabilities = `${this.root}/+/availability`;
  }

  sensor(sensor: string, leaf: 'availability' | 'vitals' | 'alert' | 'alarms'): string {
    return `${this.root}/${topicLevel(sensor)}/${leaf}`;
  }

  /** The level of the sensor in the topic of a list of open alerts; null where it is none of ours. */
  listedLevel(topic: string): string | null {
    const level = topic.startsWith(`${this.root}/`) ? topic.slice(this.root.length + 1, -'/alarms'.length) : '';
    return level !== '' && topic === `${this.root}/${level}/alarms` && topicLevel(level) === level ? level : null;
  }

  /** Whether the contract gives a topic its meaning, here or on another device: nobody may have something else said there. */
  isSpokenFor(topic: string): boolean {
    if (topic === this.root) return true;
    if (topic.startsWith(`${this.root}/`)) return !topic.startsWith(`${this.root}/response/`);
    if (!topic.startsWith(`${this.baseTopic}/`)) return false;
    const [, ...below] = topic.slice(this.baseTopic.length + 1).split('/');
    return below[0] === 'cmd' || SAID.has(below.at(-1) ?? '');
  }

  /** Where a command is sent to. */
  command(verb: string): string {
    return `${this.root}/cmd/${verb}`;
  }

  /** Where the answer to a command goes that named no topic of its own. */
  response(verb: string): string {
    return `${this.root}/response/${topicLevel(verb)}`;
  }

  /** The verb of a command topic, or null where the topic is none. */
  verb(topic: string): string | null {
    const prefix = `${this.root}/cmd/`;
    const verb = topic.startsWith(prefix) ? topic.slice(prefix.length) : '';
    return verb === '' || verb.includes('/') ? null : verb;
  }
}
