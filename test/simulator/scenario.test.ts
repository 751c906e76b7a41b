import { describe, expect, it } from 'vitest';
import {
  BUILT_IN_SCENARIOS,
  builtInScenario,
  parseScenario,
  RHYTHMS,
  ScenarioError,
  scenarioSeconds,
  singleRhythm,
} from '../../src/simulator/scenario.js';
import { conditionsOf } from '../../src/simulator/truth.js';

function messageOf(text: string): string {
  try {
    parseScenario(text, 'my.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('scenario files', () => {
  it('reads YAML and JSON alike, filling in what is left out', () => {
    const yaml = parseScenario(
      'name: mine\natEnd: stop\nepisodes:\n  - { rhythm: af, bpm: 120, seconds: 80, mainsMv: 0.1 }\n  - rhythm: vt\n    beats: 10\n    bpm: 150\n',
      'my.yaml',
    );
    const json = parseScenario(
      '{"name":"mine","atEnd":"stop","episodes":[{"rhythm":"af","bpm":120,"seconds":80,"mainsMv":0.1},{"rhythm":"vt","beats":10,"bpm":150}]}',
      'my.json',
    );
    expect(yaml).toEqual(json);
    expect(yaml.episodes[0]).toMatchObject({ rhythm: 'atrial-fibrillation', bpm: 120, contact: true, mainsHz: 50 });
    expect(yaml.episodes[1]!.seconds).toBeCloseTo(4.2);
  });

  it.each([
    ['episodes:\n  - rhythm: sinus\n  - rhythm: polka\n', 'my.yaml:3: episodes[1].rhythm: Invalid option', 'bigeminy'],
    ['episodes:\n  - rhythm: sinus\n    bmp: 70\n', 'my.yaml:2: episodes[0]: Unrecognized key: "bmp"', ''],
    ['episodes:\n  - rhythm: sinus\n    bpm: 1000\n', 'my.yaml:3: episodes[0].bpm: ', '300'],
    ['episodes: []\n', 'my.yaml:1: episodes: ', ''],
    ['episodes:\n  - rhythm: [\n', 'my.yaml:', ''],
    ['', 'my.yaml:', ''],
    ['episodes:\n  - { rhythm: sinus, beats: 5 }\n', 'my.yaml:2: episodes[0].beats: ', 'ventricular-tachycardia'],
    ['episodes:\n  - { rhythm: vt, beats: 5, seconds: 2 }\n', 'my.yaml:2: episodes[0].beats: ', 'not both'],
  ])('says where a mistake is and what is allowed: %j', (text, start, also) => {
    const message = messageOf(text);
    expect(message.startsWith(start)).toBe(true);
    expect(message).toContain(also);
  });

  it('names every mistake, not only the first', () => {
    const lines = messageOf('episodes:\n  - { rhythm: sinus, bpm: -1 }\n  - { rhythm: sinus, mainsHz: 55 }\n').split(
      '\n',
    );
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('my.yaml:3');
  });
});

describe('built-in scenarios', () => {
  it.each(BUILT_IN_SCENARIOS)('%s is valid and starts calm', (name) => {
    const scenario = builtInScenario(name)!;
    expect(scenario.episodes[0]).toMatchObject({ rhythm: 'sinus', contact: true });
    expect(scenarioSeconds(scenario)).toBeGreaterThan(20);
  });

  it('has no scenario by the name of an object property', () => {
    expect(builtInScenario('constructor')).toBeUndefined();
  });

  it('shows in `demo` what the demo promises, the fibrillation long enough for a window of 60 beats', () => {
    const { episodes } = builtInScenario('demo')!;
    const kinds = new Set<string>();
    let startMs = 0;
    for (const [index, episode] of episodes.entries()) {
      const endMs = startMs + episode.seconds * 1000;
      for (const { kind } of conditionsOf({ index, episode, startMs, endMs, course: null })) kinds.add(kind);
      startMs = endMs;
    }
    for (const kind of ['tachycardia', 'atrial-fibrillation', 'ventricular-tachycardia', 'pause', 'contact-off']) {
      expect(kinds).toContain(kind);
    }
    expect(kinds).not.toContain('asystole');
    const af = episodes.find((episode) => episode.rhythm === 'atrial-fibrillation')!;
    expect((af.seconds * af.bpm) / 60).toBeGreaterThan(120);
  });

  it('shows in `all` every rhythm there is', () => {
    const shown = new Set(builtInScenario('all')!.episodes.map((episode) => episode.rhythm));
    expect([...shown].sort()).toEqual([...RHYTHMS].sort());
  });

  it('makes one rhythm of any name or alias, and refuses others by name', () => {
    expect(singleRhythm('bradycardia', { bpm: 40 }).episodes[0]).toMatchObject({
      rhythm: 'sinus-bradycardia',
      bpm: 40,
    });
    expect(() => singleRhythm('polka')).toThrow(/--rhythm: .*rhythm: Invalid option/);
  });
});
