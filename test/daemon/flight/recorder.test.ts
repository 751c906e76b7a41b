import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { replayFlight } from '../../../src/cli/replay/flight.js';
import type { GzipMember } from '../../../src/daemon/flight/gzip-member.js';
import { FlightRecorder } from '../../../src/daemon/flight/recorder.js';
import type { Models } from '../../../src/daemon/models.js';
import { Persons } from '../../../src/daemon/persons.js';
import type { ModelInputs } from '../../../src/domain/inference.js';
import { loadBundle } from '../../../src/inference/bundle/load.js';
import { decodeCapture, RECORD } from '../../../src/sensor/capture/container.js';
import type { ScenarioInput } from '../../../src/simulator/scenario.js';
import { ManualTime } from '../../sensor/fake-link.js';
import { manualStation, NO_MODELS } from '../support/station-bench.js';

/** Models with the shipped bundles' windows whose answers are some function of their inputs, and come late and unevenly. */
async function slowModels(time: ManualTime): Promise<Models> {
  const open = async <Slot extends 'beat' | 'rhythm'>(name: Slot, folder: string) => {
    const { manifest } = await loadBundle(folder);
    return { name, preprocessing: manifest.preprocessing, logitOffsets: manifest.output.logitOffsets ?? [] };
  };
  let asked = 0;
  const port = {
    infer: (model: string, inputs: ModelInputs) => {
      const delayMs = 1 + ((++asked * 7919) % 130);
      let sum = 0;
      for (const input of inputs) for (const value of input) sum += value;
      const wave = Math.sin(sum);
      // Now and then none at all.
      const output = asked % 17 === 0 ? null : Float32Array.from(model === 'beat' ? [wave, -1, 0.5] : [-wave, wave]);
      return new Promise<Float32Array | null>((resolve) => time.after(delayMs, () => resolve(output)));
    },
    state: () => 'ready' as const,
    info: (name: string) => ({ name, sha256: 'ab'.repeat(32), precision: 'int8', runtime: 'test' }),
  };
  return {
    ...NO_MODELS,
    beat: await open('beat', 'models/beat-ecg'),
    rhythm: await open('rhythm', 'models/rhythm-rr'),
    port,
    condition: () => 'ready',
  };
}

type Episodes = ScenarioInput['episodes'];

const STORY: Episodes = [
  { rhythm: 'sinus', bpm: 70, seconds: 130 },
  { rhythm: 'pvc', seconds: 30 },
  { rhythm: 'sinus-tachycardia', bpm: 170, seconds: 40 },
  { rhythm: 'sinus', bpm: 70, seconds: 30, motionMv: 0.8 },
  { rhythm: 'sinus', bpm: 70, seconds: 20, contact: false },
  { rhythm: 'sinus', bpm: 70, seconds: 60 },
];

/** Plays a story into a station; the last version of each file that an alert froze. */
async function fly(format: string, options: Record<string, string | number | boolean>, models: boolean) {
  const time = new ManualTime();
  const saved = new Map<string, readonly GzipMember[]>();
  const station = manualStation({
    time,
    format,
    options,
    ...(models ? { models: await slowModels(time) } : {}),
    flightRecorder: { minutes: 1, afterSeconds: 20 },
    saveFlight: (id, members) => saved.set(id, members),
  });
  const heart = station.heart(STORY, 3);
  heart.start();
  await time.advance(40_000);
  // What comes from outside the data: the model's condition, a person's word, a link that was opened anew.
  station.station.alarms.inference(time.monotonicMs(), 'ready', '');
  await time.advance(110_000);
  station.link.handlers?.onClose('unplugged');
  await time.advance(30_000);
  const told = { id: 'told', sequence: 2, kind: 'pause', priority: 'medium', values: { longestMs: 3100 } } as const;
  station.station.alarms.recall(time.monotonicMs(), [{ ...told, onsetMs: 1_000, raisedMs: 2_000 }]);
  station.station.alarms.ack('extreme-tachycardia', time.monotonicMs() + 60_000);
  station.station.alarms.snooze('pause', time.monotonicMs() + 60_000);
  await time.advance(110_000);
  heart.stop();
  await time.advance(60_000);
  return { ...station, saved: await unpacked(saved), time };
}

/** The files as a reader sees them. */
async function unpacked(saved: ReadonlyMap<string, readonly GzipMember[]>): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [id, members] of saved) {
    files.set(id, gunzipSync(Buffer.concat(await Promise.all(members.map((member) => member.packed())))));
  }
  return files;
}

const replay = (bytes: Uint8Array) =>
  replayFlight(decodeCapture(bytes), { record: 'frozen', version: 'test', write: () => undefined });

describe('flight recorder: what was decided is decided again, to the last bit', () => {
  for (const [format, options, models] of [
    ['protocentral', {}, true],
    ['ad8232', {}, true],
    ['openbci-cyton', {}, false],
    ['nonin-df2', {}, false],
    ['ble-hrm-hex', {}, true],
    ['max3010x', {}, false],
  ] as const) {
    it(`${format}${models ? ' with models that answer late' : ''}`, async () => {
      const { saved, alerts } = await fly(format, options, models);
      const raised = alerts.filter(({ event }) => event === 'new');
      expect(raised.length).toBeGreaterThan(0);
      expect([...saved.keys()]).toEqual(raised.map(({ id }) => id));
      let begunLate = 0;
      for (const [id, bytes] of saved) {
        const verdict = await replay(bytes);
        expect(verdict.firstDifference, id).toBeNull();
        expect(verdict.decisions, id).toBeGreaterThan(0);
        const { header } = decodeCapture(bytes);
        if ((header.flight as { startMs: number }).startMs > 60_000) begunLate++;
      }
      // A stretch from the very start would prove nothing of the state.
      expect(begunLate).toBeGreaterThan(0);
    }, 60_000);
  }

  it('an answer has a turn of its own: bytes that come by promises are not heard between it and what it sets free', async () => {
    const never = () => {
      throw new Error('nothing is frozen here');
    };
    const recorder = new FlightRecorder({
      minutes: 1,
      maxBytes: 1e6,
      afterMs: 0,
      timers: new ManualTime(),
      roots: () => null,
      header: never,
      save: never,
    });
    const order: string[] = [];
    const port = recorder.port({ infer: async () => null, state: () => 'ready', info: () => null });
    const acted = port
      .infer('beat', [])
      .then(() => undefined)
      .then(() => order.push('decided'));
    for (let hop = 0; hop < 20; hop++) await null;
    order.push('bytes');
    await acted;
    expect(order).toEqual(['bytes', 'decided']);
  });

  it('notices when some of its bytes are missing', async () => {
    const { saved } = await fly('protocentral', {}, true);
    const bytes = [...saved.values()].at(-1)!;
    const { header, records } = decodeCapture(bytes);
    const chunks = records.filter(({ type }) => type === RECORD.bytes);
    const lost = new Set(chunks.slice(chunks.length / 2, chunks.length / 2 + 100));
    const other = await replayFlight(
      { header, records: records.filter((record) => !lost.has(record)), damagedBytes: 0 },
      { record: 'frozen', version: 'test', write: () => undefined },
    );
    expect(other.identical).toBe(false);
    expect(other.firstDifference).not.toBeNull();
  }, 60_000);

  it('with two sensors on one person, whose words count too', async () => {
    const time = new ManualTime();
    const persons = new Persons();
    const saved = new Map<string, readonly GzipMember[]>();
    const make = (name: string) =>
      manualStation({
        time,
        name,
        person: 'ada',
        persons,
        flightRecorder: { minutes: 1, afterSeconds: 5 },
        saveFlight: (id, members) => saved.set(`${name} ${id}`, members),
      });
    const [left, right] = [make('left'), make('right')];
    left.heart(STORY, 3).start();
    right.heart([{ rhythm: 'sinus', bpm: 70, seconds: 165 }, ...STORY.slice(2)], 4).start();
    await time.advance(320_000);
    expect(saved.size).toBeGreaterThan(0);
    for (const [id, bytes] of await unpacked(saved)) expect((await replay(bytes)).firstDifference, id).toBeNull();
  }, 60_000);
});

describe('flight recorder: bounds', () => {
  it('keeps two minutes more than asked at most, in little memory: what is over is packed', async () => {
    const { station } = await fly('protocentral', {}, false);
    const { recorder } = station as unknown as { recorder: { bytes: number } };
    expect(recorder.bytes).toBeLessThan(500_000);
  }, 60_000);
});
