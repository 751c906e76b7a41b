import { describe, expect, it } from 'vitest';
import { type PersonSensor, Persons } from '../../src/daemon/persons.js';
import type { Carries } from '../../src/domain/reading.js';
import { findFormat } from '../../src/sensor/formats/registry.js';
import { ManualTime } from '../sensor/fake-link.js';
import { manualStation } from './support/station-bench.js';

const ECG = findFormat('ad8232').carries({});
const PULSE = findFormat('nonin-df2').carries({});

function sensor(name: string, carries: Carries, person: string | null = 'anna') {
  const now = { quality: 'good' as 'good' | 'poor', hrBpm: 70 as number | null };
  const it: PersonSensor = {
    name,
    person,
    carries,
    alarms: { tells: () => false, witness: () => null },
    now: () => now,
  };
  return { it, now };
}

describe('the sensors of a person', () => {
  it('show the rate of the better one, and of the other while that has no good signal', () => {
    const persons = new Persons();
    const chest = sensor('chest', ECG);
    const finger = sensor('finger', PULSE);
    const other = sensor('other', ECG, 'ben');
    for (const { it } of [finger, chest, other]) persons.add(it);
    chest.now.hrBpm = 71;
    expect(persons.vitals('anna')).toEqual({ name: 'anna', hrBpm: 71, from: 'chest' });
    chest.now.quality = 'poor';
    expect(persons.vitals('anna')).toEqual({ name: 'anna', hrBpm: 70, from: 'finger' });
    finger.now.quality = 'poor';
    expect(persons.vitals('anna')).toEqual({ name: 'anna', hrBpm: null, from: null });
    expect(persons.vitals('ben')).toBeNull();
    expect(persons.vitals(null)).toBeNull();
    expect(persons.peersOf('chest', null)).toBeUndefined();
  });

  it('do not swap places while they are equally good', () => {
    const persons = new Persons();
    const left = sensor('left', ECG);
    const right = sensor('right', ECG);
    persons.add(left.it);
    persons.add(right.it);
    expect(persons.vitals('anna')?.from).toBe('left');
    left.now.quality = 'poor';
    expect(persons.vitals('anna')?.from).toBe('right');
    left.now.quality = 'good';
    expect(persons.vitals('anna')?.from).toBe('right');
  });

  it('an ECG and an oximeter on one heart tell of its race once', async () => {
    const time = new ManualTime();
    const persons = new Persons();
    const episodes = [
      { rhythm: 'sinus' as const, bpm: 75, seconds: 40 },
      { rhythm: 'sinus' as const, bpm: 175, seconds: 40 },
    ];
    const chest = manualStation({ time, persons, person: 'anna' });
    const finger = manualStation({ time, persons, person: 'anna', name: 'finger', format: 'nonin-df2' });
    await time.advance(0);
    for (const { heart } of [chest, finger]) heart(episodes).start();
    await time.advance(80_000);
    const told = [...chest.alerts, ...finger.alerts].filter(
      ({ event, kind }) => event === 'new' && kind === 'extreme-tachycardia',
    );
    expect(told).toHaveLength(1);
    expect(told[0]!.evidence.sensors?.map(({ sensor: name }) => name).sort()).toEqual(['chest', 'finger']);
  });
});
