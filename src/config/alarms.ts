import { z } from 'zod';

/** Words of IEC 60601-1-8: how fast somebody has to look. */
export const alarmPrioritySchema = z.enum(['high', 'medium', 'low']);

const durationMs = (byDefault: number, max: number, text: string) =>
  z.number().min(0).max(max).default(byDefault).describe(text);
const rateBpm = (byDefault: number, text: string) => z.number().min(10).max(350).default(byDefault).describe(text);
const share = (byDefault: number, text: string) => z.number().min(0).max(1).default(byDefault).describe(text);

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The keys that every kind has. */
const common = (priority: z.infer<typeof alarmPrioritySchema>, escalateAfterMs = 0) => ({
  enabled: z.boolean().default(true).describe('Whether this kind may be raised at all.'),
  priority: alarmPrioritySchema
    .default(priority)
    .describe('Priority in the words of IEC 60601-1-8: high (now), medium (soon), low (be aware).'),
  escalateAfterMs: durationMs(
    escalateAfterMs,
    DAY_MS,
    'An alert that lasts this long and that nobody has acknowledged rises by one priority, ms; 0: never.',
  ),
});

/** A rate with its sustain time and hysteresis: shared by tachycardia and bradycardia. */
const sustain = {
  sustainMs: durationMs(10_000, HOUR_MS, 'How long the rate must stay beyond the threshold before the alert, ms.'),
  hysteresisBpm: z
    .number()
    .min(0)
    .max(50)
    .default(5)
    .describe('How far back the rate must come before the alert may end, beats per minute.'),
  clearMs: durationMs(10_000, HOUR_MS, 'How long the rate must be back before the alert ends, ms.'),
};

/** Settings of the alarm engine: the section `alarms`, and what a sensor lays over it. */
export const alarmSettingsSchema = z.strictObject({
  signal: z
    .strictObject({
      minBeatQuality: share(0.5, 'A beat whose quality (0 to 1) is below this is no evidence for a health alert.'),
      holdMs: durationMs(
        60_000,
        HOUR_MS,
        'How long an open health alert outlives the signal it was found in, ms; then it ends with endReason signal-lost.',
      ),
      staleMs: z
        .number()
        .min(200)
        .max(60_000)
        .default(2_500)
        .describe('A hole in the data longer than this breaks every count of beats and of silence, ms.'),
      crossCheck: z
        .boolean()
        .default(true)
        .describe(
          'Whether a sensor on the same person (`person`) whose good signal plainly contradicts a health alert holds it back.',
        ),
    })
    .prefault({})
    .describe('What counts as signal good enough to judge a heart by.'),
  evidence: z
    .strictObject({
      rrCount: z.number().int().min(0).max(200).default(20).describe('RR intervals sent with an alert.'),
      signalMs: durationMs(10_000, 60_000, 'Length of waveform sent with a new alert, ms; 0 sends none.'),
    })
    .prefault({})
    .describe('What travels with an alert so that it can be argued about.'),
  updates: z
    .strictObject({
      minChange: share(0.1, 'A number must change by this share of itself for an update to be worth sending.'),
      firstAfterMs: durationMs(15_000, HOUR_MS, 'Earliest first update after an alert was raised, ms.'),
      longestMs: durationMs(600_000, DAY_MS, 'The time between updates doubles up to this, ms.'),
    })
    .prefault({})
    .describe('How often an open alert may speak again.'),
  reminders: z
    .strictObject({
      firstAfterMs: durationMs(
        600_000,
        DAY_MS,
        'An alert that stands, that nobody has acknowledged and that had nothing to say for this long sends an update, ms; 0: never.',
      ),
      longestMs: durationMs(2 * HOUR_MS, 7 * DAY_MS, 'The time to the next reminder doubles up to this, ms.'),
    })
    .prefault({})
    .describe('How an alert that nobody has acknowledged reminds of itself.'),
  storm: z
    .strictObject({
      withinMs: durationMs(
        60_000,
        HOUR_MS,
        'A kind raised again this soon after its end flaps: each time its clear time doubles, ms.',
      ),
      longestClearMs: durationMs(300_000, HOUR_MS, 'The doubled clear time grows no longer than this, ms.'),
      calmMs: durationMs(
        600_000,
        DAY_MS,
        'After this long without the alert its clear time is the plain one again, ms.',
      ),
    })
    .prefault({})
    .describe('What keeps a condition that comes and goes from becoming a storm of alerts.'),
  snooze: z
    .strictObject({
      maxMs: durationMs(12 * HOUR_MS, 7 * DAY_MS, 'Longest time a low or medium kind can be snoozed for, ms.'),
      maxHighMs: durationMs(600_000, DAY_MS, 'Longest time a high priority kind can be snoozed for, ms.'),
    })
    .prefault({})
    .describe('Limits of acknowledging and snoozing.'),

  asystole: z
    .strictObject({
      ...common('high'),
      afterMs: z
        .number()
        .min(2_000)
        .max(60_000)
        .default(4_000)
        .describe('No beat in good signal for this long, ms. PhysioNet/CinC Challenge 2015: 4 s.'),
      startGraceMs: durationMs(
        2_000,
        60_000,
        'Added while no beat was seen since the signal became good, ms: a detector has to learn the signal first.',
      ),
      clearMs: durationMs(5_000, HOUR_MS, 'How long beats must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('No beat although the contact is good.'),
  'ventricular-fibrillation': z
    .strictObject({
      ...common('high'),
      on: share(0.9, "Score of the shockable model above which a second's verdict counts."),
      off: share(0.5, 'Score below which the evidence is gone.'),
      verdicts: z
        .number()
        .int()
        .min(1)
        .max(60)
        .default(2)
        .describe('Verdicts in a row, one a second, each on the last 4 s.'),
      poorOn: share(0.97, 'As `on`, where the signal is doubtful.'),
      poorVerdicts: z.number().int().min(1).max(60).default(4).describe('As `verdicts`, where the signal is doubtful.'),
      clearMs: durationMs(5_000, HOUR_MS, 'How long the verdicts must be others before the alert ends, ms.'),
    })
    .refine((s) => s.off <= s.on && s.on <= s.poorOn, { path: ['on'], message: 'must lie between `off` and `poorOn`' })
    .prefault({})
    .describe(
      'The ventricles fibrillate or flutter; needs the shockable model. Its scores and verdicts hold for fast ventricular tachycardia, too.',
    ),
  'ventricular-tachycardia': z
    .strictObject({
      ...common('high'),
      beats: z
        .number()
        .int()
        .min(3)
        .max(100)
        .default(5)
        .describe('Consecutive ventricular beats. PhysioNet/CinC Challenge 2015: 5 or more.'),
      aboveBpm: rateBpm(
        100,
        'Rate of the run above which it counts, beats per minute. PhysioNet/CinC Challenge 2015: 100.',
      ),
      minScore: share(
        0.8,
        'Mean ventricular score that the beats of the run must have: a model that is of two minds about each beat has seen noise more often than a run.',
      ),
      clearMs: durationMs(10_000, HOUR_MS, 'How long other beats must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('A run of ventricular beats; needs the beat model.'),
  'extreme-tachycardia': z
    .strictObject({
      ...common('high'),
      aboveBpm: rateBpm(140, 'Mean rate above this, beats per minute. PhysioNet/CinC Challenge 2015: 140.'),
      beats: z
        .number()
        .int()
        .min(5)
        .max(100)
        .default(17)
        .describe('Consecutive beats the rate is taken over. PhysioNet/CinC Challenge 2015: 17.'),
      hysteresisBpm: z
        .number()
        .min(0)
        .max(50)
        .default(5)
        .describe('How far back the rate must come before the alert may end, beats per minute.'),
      clearMs: durationMs(5_000, HOUR_MS, 'How long the rate must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('A very fast heart, by beats alone.'),
  'extreme-bradycardia': z
    .strictObject({
      ...common('high'),
      belowBpm: rateBpm(40, 'Mean rate below this, beats per minute. PhysioNet/CinC Challenge 2015: 40.'),
      beats: z
        .number()
        .int()
        .min(3)
        .max(100)
        .default(5)
        .describe('Consecutive beats the rate is taken over. PhysioNet/CinC Challenge 2015: 5.'),
      hysteresisBpm: z
        .number()
        .min(0)
        .max(50)
        .default(3)
        .describe('How far back the rate must come before the alert may end, beats per minute.'),
      clearMs: durationMs(5_000, HOUR_MS, 'How long the rate must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('A very slow heart, by beats alone.'),
  tachycardia: z
    .strictObject({
      ...common('medium', 900_000),
      aboveBpm: rateBpm(150, 'Heart rate at and above this, beats per minute.'),
      ...sustain,
    })
    .prefault({})
    .describe("A heart faster than this person's threshold; also from a device's own heart rate."),
  bradycardia: z
    .strictObject({
      ...common('medium', 900_000),
      belowBpm: rateBpm(45, 'Heart rate at and below this, beats per minute.'),
      ...sustain,
    })
    .prefault({})
    .describe("A heart slower than this person's threshold; also from a device's own heart rate."),
  'atrial-fibrillation': z
    .strictObject({
      ...common('medium'),
      on: share(0.965, 'What the rhythm scores must be above on the average (of their log-odds) over `sustainMs`.'),
      off: share(0.3, 'Rhythm score below which the evidence is gone.'),
      sustainMs: durationMs(30_000, HOUR_MS, 'How long the scores must tell of fibrillation, ms.'),
      maxOrder: z
        .number()
        .min(0)
        .default(36)
        .describe(
          'The alert waits while the last 120 intervals follow an order, as breathing or early beats give them: Q of Ljung and Box (1978) above this. A row without order has about 17, and more than 36 once in 70 times.',
        ),
      clearMs: durationMs(120_000, HOUR_MS, 'Scores must be below `off` for this long before the alert ends, ms.'),
      holeMs: durationMs(120_000, HOUR_MS, 'A hole between scores longer than this starts the count anew, ms.'),
      minGoodShare: share(0.8, "Share of the window's beats that must come from good signal."),
      maxVentricularShare: share(
        0.5,
        'A window with more ventricular beats than this share says nothing of the atria. Only where the beat model runs.',
      ),
    })
    .refine((s) => s.off <= s.on, { path: ['off'], message: 'must not be above `on`' })
    .prefault({})
    .describe('Atrial fibrillation, from the rhythm scores.'),
  pause: z
    .strictObject({
      ...common('medium'),
      afterMs: z
        .number()
        .min(1_500)
        .max(60_000)
        .default(3_000)
        .describe(
          'RR interval from this length on, ms. 2018 ACC/AHA/HRS bradycardia guideline, table of definitions: more than 3 s.',
        ),
      clearMs: durationMs(60_000, HOUR_MS, 'Time without another pause before the alert ends, ms.'),
    })
    .prefault({})
    .describe('A single long interval between two beats.'),
  'frequent-ectopy': z
    .strictObject({
      ...common('low'),
      windowMs: z.number().min(60_000).max(DAY_MS).default(300_000).describe('Length of the window counted, ms.'),
      on: share(
        0.15,
        'Share of ectopic beats from which the alert is raised. 2017 AHA/ACC/HRS ventricular arrhythmia guideline: more than 15 % of beats is frequent.',
      ),
      off: share(0.1, 'Share below which the alert may end.'),
      minBeats: z
        .number()
        .int()
        .min(10)
        .max(10_000)
        .default(100)
        .describe('Classified beats the window must hold before its share means anything.'),
      countSupraventricular: z
        .boolean()
        .default(false)
        .describe('Count supraventricular ectopic beats too, not only ventricular ones.'),
      clearMs: durationMs(60_000, HOUR_MS, 'How long the share must be back before the alert ends, ms.'),
    })
    .refine((s) => s.off <= s.on, { path: ['off'], message: 'must not be above `on`' })
    .prefault({})
    .describe('Many ectopic beats; needs the beat model.'),

  anomaly: z
    .strictObject({
      ...common('low'),
      on: z
        .number()
        .min(0.1)
        .max(20)
        .default(2)
        .describe(
          "Departure above which the evidence counts, in units of what this person's normal rhythm reaches once in a hundred looks.",
        ),
      off: z.number().min(0.1).max(20).default(0.7).describe('Departure below which the evidence is gone.'),
      sustainMs: durationMs(60_000, HOUR_MS, 'Every look must be above `on` for this long, ms.'),
      clearMs: durationMs(600_000, HOUR_MS, 'Looks must be below `off` for this long before the alert ends, ms.'),
    })
    .refine((s) => s.off <= s.on, { path: ['off'], message: 'must not be above `on`' })
    .prefault({})
    .describe(
      "A rhythm that departs from this person's own usual, whatever it is called; needs the anomaly model and a quarter of an hour of this person's rhythm.",
    ),
  'no-data': z
    .strictObject({
      ...common('medium'),
      afterMs: durationMs(
        30_000,
        DAY_MS,
        'No data for this long, ms, also when none ever came. The link may know sooner: three missed silence times of the format.',
      ),
      clearMs: durationMs(2_000, HOUR_MS, 'How long data must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('Nothing comes from the sensor.'),
  'contact-off': z
    .strictObject({
      ...common('low', 1_800_000),
      sustainMs: durationMs(5_000, HOUR_MS, 'How long the contact must be lost before the alert, ms.'),
      clearMs: durationMs(3_000, HOUR_MS, 'How long the contact must be back before the alert ends, ms.'),
    })
    .prefault({})
    .describe('The sensor does not touch the body.'),
  'poor-signal': z
    .strictObject({
      ...common('low', 1_800_000),
      sustainMs: durationMs(
        30_000,
        HOUR_MS,
        'Time of unusable signal before the alert, ms; good signal takes its own length off again.',
      ),
      clearMs: durationMs(
        5_000,
        HOUR_MS,
        'How long the signal must be good, after as much good time as there was bad (at most sustainMs), before the alert ends, ms.',
      ),
    })
    .prefault({})
    .describe('Signal comes, but no heart can be judged by it.'),
  'inference-down': z
    .strictObject({
      ...common('medium'),
      sustainMs: durationMs(
        5_000,
        HOUR_MS,
        'How long the model must be down before the alert, ms; a respawn is faster.',
      ),
      startingMs: durationMs(30_000, HOUR_MS, 'Starting for longer than this counts as down, ms.'),
      clearMs: durationMs(10_000, HOUR_MS, 'How long the model must answer before the alert ends, ms.'),
    })
    .prefault({})
    .describe('The model does not run: only rules that need none are working.'),
  'inference-slow': z
    .strictObject({
      ...common('low'),
      sustainMs: durationMs(30_000, HOUR_MS, 'How long the model must be late before the alert, ms.'),
      clearMs: durationMs(30_000, HOUR_MS, 'How long the model must be in time before the alert ends, ms.'),
    })
    .prefault({})
    .describe('The model answers too late to be of use.'),
  'outbox-full': z
    .strictObject({
      ...common('medium'),
      clearMs: durationMs(10_000, HOUR_MS, 'How long there must be room again before the alert ends, ms.'),
    })
    .prefault({})
    .describe('The broker was away for so long that alerts had to be given up; raised on every sensor.'),
  'clock-unsynced': z
    .strictObject({
      ...common('low'),
      sustainMs: durationMs(
        600_000,
        DAY_MS,
        'How long the clock must be unsynchronised before the alert, ms; a start without network takes its time.',
      ),
      clearMs: durationMs(10_000, HOUR_MS, 'How long the clock must be synchronised before the alert ends, ms.'),
    })
    .prefault({})
    .describe("The device's clock is not known to be set, so times may be wrong; raised on every sensor."),
});

export type AlarmSettings = z.infer<typeof alarmSettingsSchema>;
