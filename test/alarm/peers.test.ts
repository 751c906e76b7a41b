import { describe, expect, it } from 'vitest';
import type { AlarmEngine } from '../../src/alarm/engine.js';
import { type Claim, contradicts, type Peers, type Witness } from '../../src/alarm/peers.js';
import { Bench, type Bench as BenchType, settingsWith } from './bench.js';

/** Two sensors on one person, each an engine that knows the other. */
function pair(settings = settingsWith()) {
  const engines: Record<string, AlarmEngine | undefined> = {};
  const peers = (other: string): Peers => ({
    toldBy: (kinds) => (kinds.some((kind) => engines[other]?.tells(kind)) ? other : null),
    witnesses: () => {
      const witness = engines[other]?.witness();
      return witness ? [witness] : [];
    },
  });
  const make = (sensor: string, other: string) =>
    new Bench(settings, true, () => undefined, 100, undefined, peers(other), sensor);
  const chest = make('chest', 'finger').start();
  const finger = make('finger', 'chest').start();
  engines.chest = chest.engine;
  engines.finger = finger.engine;
  /** Both play a second at a time, so that neither is ahead of the other for long. */
  const together = (seconds: number, one: (bench: BenchType) => void, other: (bench: BenchType) => void) => {
    for (let s = 0; s < seconds; s++) {
      one(chest);
      other(finger);
    }
  };
  return { chest, finger, together };
}

const at = (bpm: number) => (bench: BenchType) => void bench.run(1_000, bpm);
const still = (bench: BenchType) => void bench.wait(1_000);

describe('two sensors on one person', () => {
  it('tell of a fast heart once, and the evidence names both', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(30, at(180), at(180));
    const told = [...chest.news('extreme-tachycardia'), ...finger.news('extreme-tachycardia')];
    expect(told).toHaveLength(1);
    const { sensors = [] } = told[0]!.evidence;
    expect(sensors.map(({ sensor }) => sensor).sort()).toEqual(['chest', 'finger']);
    for (const { rateBpm } of sensors) expect(rateBpm).toBeGreaterThan(150);
  });

  it('the second takes over when the first loses its signal, so that what goes on is still told', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(30, at(180), at(180));
    const [first, second] = chest.news('extreme-tachycardia').length > 0 ? [chest, finger] : [finger, chest];
    first.quality('contact-off');
    for (let s = 0; s < 90; s++) {
      first.wait(1_000);
      second.run(1_000, 180);
    }
    expect(first.ends('extreme-tachycardia')).toHaveLength(1);
    expect(second.news('extreme-tachycardia')).toHaveLength(1);
    expect(second.ends('extreme-tachycardia')).toHaveLength(0);
  });

  it('a standstill that the other sensor contradicts is not raised', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(20, still, at(75));
    expect(chest.news('asystole')).toHaveLength(0);
    expect(finger.health()).toHaveLength(0);
  });

  it('is raised at once where both see it, within the time of one alone', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(6, still, still);
    const told = [...chest.news('asystole'), ...finger.news('asystole')];
    expect(told).toHaveLength(1);
    expect(told[0]!.raisedMs - told[0]!.onsetMs).toBeLessThan(5_500);
  });

  it('is raised where the other sensor is in no state to contradict', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    finger.quality('poor');
    together(10, still, at(75));
    expect(chest.news('asystole')).toHaveLength(1);
  });

  it('is raised all the same where the cross-check is switched off', () => {
    const { chest, together } = pair(settingsWith({ signal: { crossCheck: false } }));
    together(20, at(75), at(75));
    together(10, still, at(75));
    expect(chest.news('asystole')).toHaveLength(1);
  });
});

describe('ventricular kinds, which look at doubtful signal too, on one person', () => {
  const wild = (bench: BenchType) => {
    bench.wait(1_000);
    bench.engine.shockable({
      tMs: bench.nowMs,
      windowStartMs: bench.nowMs - 4_000,
      scores: { other: 0.01, vt: 0.01, vf: 0.98 },
      ratePerMinute: 240,
      heightShare: 1,
    });
  };
  const run = (bench: BenchType) => void bench.beats(3, 180, { beatClass: 'V' });

  it('fibrillation that both ECGs show is told once', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(8, wild, wild);
    const kind = 'ventricular-fibrillation';
    expect([...chest.news(kind), ...finger.news(kind)]).toHaveLength(1);
  });

  it('what one electrode makes of a shaken cable is held back by an even pulse at the other', () => {
    const { chest, together } = pair();
    together(20, at(75), at(75));
    together(8, wild, at(75));
    expect(chest.news('ventricular-fibrillation')).toHaveLength(0);
    const alone = new Bench().start().run(20_000, 75);
    for (let s = 0; s < 8; s++) wild(alone);
    expect(alone.news('ventricular-fibrillation')).toHaveLength(1);
  });

  it('a run of ventricular beats that both ECGs show is told once', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(6, run, run);
    const kind = 'ventricular-tachycardia';
    expect([...chest.news(kind), ...finger.news(kind)]).toHaveLength(1);
  });
});

describe('a snooze on one of two sensors on one person', () => {
  it('holds for the other as well while the first goes on seeing it, and no longer', () => {
    const { chest, finger, together } = pair();
    together(20, at(75), at(75));
    together(30, at(180), at(180));
    const [first, second] = chest.news('extreme-tachycardia').length > 0 ? [chest, finger] : [finger, chest];
    first.engine.snooze('extreme-tachycardia', first.nowMs + 600_000);
    together(60, at(180), at(180));
    expect(first.ends('extreme-tachycardia')).toHaveLength(1);
    expect(second.news('extreme-tachycardia')).toHaveLength(0);
    // The sensor that was told to be silent is taken off: the other one has not been.
    first.quality('contact-off');
    for (let s = 0; s < 90; s++) {
      first.wait(1_000);
      second.run(1_000, 180);
    }
    expect(second.news('extreme-tachycardia')).toHaveLength(1);
  });
});

describe('what contradicts what', () => {
  const witness = (over: Partial<Witness> = {}): Witness => ({
    sensor: 'finger',
    source: 'ppg',
    rateBpm: 70,
    steady: true,
    beatsWithin: () => 4,
    longestRrMs: 870,
    afibScore: 0.1,
    ...over,
  });

  it.each([
    [{ kind: 'asystole' }, {}, true],
    [{ kind: 'asystole' }, { beatsWithin: () => 1 }, false],
    [{ kind: 'extreme-tachycardia', rateBpm: 170 }, {}, true],
    [{ kind: 'extreme-tachycardia', rateBpm: 170 }, { rateBpm: 150 }, false],
    // A pulse that drops every other beat of a tachycardia is uneven, and no witness against it.
    [{ kind: 'extreme-tachycardia', rateBpm: 170 }, { steady: false }, false],
    [{ kind: 'bradycardia', rateBpm: 36 }, {}, true],
    [{ kind: 'bradycardia', rateBpm: 36 }, { rateBpm: 40 }, false],
    [{ kind: 'ventricular-fibrillation' }, {}, true],
    [{ kind: 'ventricular-fibrillation' }, { rateBpm: Number.NaN, beatsWithin: () => 0 }, false],
    [{ kind: 'ventricular-tachycardia', rateBpm: 150 }, { steady: false }, false],
    [{ kind: 'pause', longestMs: 3200 }, {}, true],
    [{ kind: 'pause', longestMs: 3200 }, { longestRrMs: 3100 }, false],
    [{ kind: 'pause', longestMs: 3200 }, { longestRrMs: Number.NaN }, false],
    [{ kind: 'atrial-fibrillation' }, {}, true],
    [{ kind: 'atrial-fibrillation' }, { afibScore: 0.5 }, false],
    [{ kind: 'atrial-fibrillation' }, { afibScore: Number.NaN }, false],
    [{ kind: 'frequent-ectopy' }, {}, false],
  ] as [Claim, Partial<Witness>, boolean][])('%o against %o: %s', (claim, over, expected) => {
    expect(contradicts(claim, witness(over))).toBe(expected);
  });
});
