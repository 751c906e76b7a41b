import { z } from 'zod';

/** The section `inference`: which models run, and how long the daemon waits for them. */
export const inferenceSchema = z.strictObject({
  models: z
    .strictObject({
      beat: z
        .string()
        .min(1)
        .nullable()
        .default('beat-ecg')
        .describe(
          'Bundle that classes every ECG beat: the name of a shipped model, or a folder; null runs without one.',
        ),
      rhythm: z
        .string()
        .min(1)
        .nullable()
        .default('rhythm-rr')
        .describe(
          'Bundle that judges the rhythm of RR intervals: the name of a shipped model, or a folder; null leaves it to a rule (sample entropy).',
        ),
      shockable: z
        .string()
        .min(1)
        .nullable()
        .default('shockable-ecg')
        .describe(
          'Bundle that looks for ventricular fibrillation and fast tachycardia in every ECG: the name of a shipped model, or a folder; null runs without one.',
        ),
      anomaly: z
        .string()
        .min(1)
        .nullable()
        .default(null)
        .describe(
          "Bundle that looks for departures from a person's own usual rhythm: the shipped `anomaly-rr`, or the folder of a model; null, the default, runs without one: its false alarms are too many for everybody, see docs/alarms.md.",
        ),
    })
    .prefault({})
    .describe('The model bundles in use, by what they are for.'),
  variant: z
    .string()
    .min(1)
    .default('auto')
    .describe(
      'Which variant of a bundle runs, for example fp32 or int8; auto times both on this machine and takes the faster, default takes the one the bundle names.',
    ),
  runtime: z
    .enum(['auto', 'native', 'wasm'])
    .default('auto')
    .describe(
      'What computes the models: native is the ONNX Runtime library, wasm its WebAssembly build for machines that the library is not made for; auto takes the library and, where it does not load or dies again and again, WebAssembly.',
    ),
  trustedKeys: z
    .array(z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'must be an Ed25519 public key: 32 bytes in base64'))
    .default([])
    .describe(
      'Ed25519 public keys (base64). Where there are any, a bundle that did not come with slothd must be signed by one of them: slothd model sign.',
    ),
  deadlineMs: z
    .number()
    .int()
    .min(20)
    .max(60_000)
    .default(250)
    .describe('A model host that has not answered after this long is killed and started again, ms.'),
  budgetMs: z
    .number()
    .min(1)
    .max(60_000)
    .default(50)
    .describe('If the slowest 1 % of recent answers take longer than this, the alert inference-slow says so, ms.'),
  startTimeoutMs: z
    .number()
    .int()
    .min(1000)
    .max(600_000)
    .default(30_000)
    .describe('How long the host may take to load its models before it is started again, ms.'),
  timingMs: z
    .number()
    .int()
    .min(0)
    .max(5000)
    .default(40)
    .describe('How long each variant is timed at start when variant is auto, ms.'),
  maxBatch: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(16)
    .describe('Most beats, of all sensors together, that go through a model in one run.'),
  maxQueue: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(256)
    .describe('Most beats that wait for the host; beyond it the oldest goes without an answer.'),
  hostMemoryMiB: z
    .number()
    .int()
    .min(64)
    .max(16_384)
    .default(300)
    .describe('Resident memory above which the host is started anew, MiB, before the kernel has to act.'),
});

export type InferenceSettings = z.infer<typeof inferenceSchema>;
