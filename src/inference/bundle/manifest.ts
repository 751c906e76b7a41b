import { z } from 'zod';

/** Version of the manifest's layout that this program writes and reads. */
export const MANIFEST_SCHEMA = 1;

/** A file beside the manifest: a plain name, so that a bundle can never point outside its own folder. */
const fileName = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, 'must be a plain file name without any path part')
  .max(120);

const word = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]*$/, 'must be lower-case letters, digits, dot, dash or underscore')
  .max(60);

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a sha256 as 64 lower-case hex digits');
const count = z.number().int().nonnegative();

const inputSchema = z.strictObject({
  /** Name of the input in the ONNX graph. */
  name: z.string().min(1),
  /** Shape of one item, without the batch dimension. */
  shape: z.array(z.number().int().positive()).max(6),
});

const outputSchema = z.strictObject({
  /** Name of the output in the ONNX graph; one item is a flat vector of `labels.length` numbers. */
  name: z.string().min(1),
  labels: z.array(z.string().min(1)).min(1),
  /** Added to the logits, one per label, before softmax and arg max (moves the operating point after training). */
  logitOffsets: z.array(z.number()).optional(),
  /** Decision thresholds by label or by the name a rule asks for. */
  thresholds: z.record(z.string(), z.number()).optional(),
});

const variantSchema = z.strictObject({
  /** What config and command line call it: `fp32`, `fp16`, `int8`. */
  id: word,
  file: fileName,
  precision: word,
  sha256,
  bytes: z.number().int().positive(),
  gzipBytes: z.number().int().positive(),
  /** Share of weights that are exactly zero, 0 to 1. */
  sparsity: z.number().min(0).max(1),
  parameters: count,
  /** Multiply-accumulates for one item. */
  macs: count,
  metrics: z.record(z.string(), z.unknown()),
});

const goldenSchema = z.strictObject({
  /** Cases x inputs (in the order of `inputs`) x flat row-major values. */
  inputs: z.array(z.array(z.array(z.number()))).min(1),
  /** Per variant: cases x output values, as the shipped runtime gave them when the bundle was made. */
  outputs: z.record(z.string(), z.array(z.array(z.number()))),
  /** Per variant: largest absolute difference allowed for any output value. */
  tolerance: z.record(z.string(), z.number().positive()),
});

/** `manifest.json` of a model bundle: what the model is, how to feed it, and how to know that it still computes the same. */
export const manifestSchema = z
  .strictObject({
    schema: z.literal(MANIFEST_SCHEMA),
    name: word,
    task: z.string().min(1),
    version: z.string().min(1),
    inputs: z.array(inputSchema).min(1),
    output: outputSchema,
    /** Constants of `inference/windows` this model was trained with. */
    preprocessing: z.record(z.string(), z.unknown()),
    opset: z.number().int().positive(),
    defaultVariant: word,
    variants: z.array(variantSchema).min(1),
    /** Data, split and settings of the training. */
    training: z.record(z.string(), z.unknown()),
    /** Data and hash of the set that the quantization was calibrated on. */
    calibration: z.record(z.string(), z.unknown()),
    golden: goldenSchema,
  })
  .superRefine((manifest, context) => {
    const fail = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    const labels = manifest.output.labels.length;
    if (new Set(manifest.output.labels).size !== labels) fail(['output', 'labels'], 'a label appears twice');
    if (manifest.output.logitOffsets && manifest.output.logitOffsets.length !== labels)
      fail(['output', 'logitOffsets'], `must hold one number per label (${labels})`);
    if (new Set(manifest.inputs.map((input) => input.name)).size !== manifest.inputs.length)
      fail(['inputs'], 'an input name appears twice');

    const ids = manifest.variants.map((variant) => variant.id);
    if (new Set(ids).size !== ids.length) fail(['variants'], 'a variant id appears twice');
    if (!ids.includes(manifest.defaultVariant))
      fail(['defaultVariant'], `names no variant; there are: ${ids.join(', ')}`);

    const sizes = manifest.inputs.map((input) => input.shape.reduce((product, n) => product * n, 1));
    for (const [at, inputs] of manifest.golden.inputs.entries()) {
      if (inputs.length !== sizes.length)
        fail(['golden', 'inputs', at], `must hold ${sizes.length} inputs, holds ${inputs.length}`);
      for (const [input, values] of inputs.entries())
        if (values.length !== sizes[input])
          fail(['golden', 'inputs', at, input], `must hold ${sizes[input]} values, holds ${values.length}`);
    }
    // Every variant must be checkable: a variant without golden outputs could be wrong on this machine unseen.
    for (const id of ids) {
      const outputs = manifest.golden.outputs[id];
      if (!outputs || outputs.length !== manifest.golden.inputs.length)
        fail(['golden', 'outputs', id], `must hold ${manifest.golden.inputs.length} cases`);
      else if (outputs.some((values) => values.length !== labels))
        fail(['golden', 'outputs', id], `each case must hold ${labels} values, one per label`);
      if (manifest.golden.tolerance[id] === undefined) fail(['golden', 'tolerance', id], 'is missing');
    }
  });

export type Manifest = z.infer<typeof manifestSchema>;
export type ManifestVariant = Manifest['variants'][number];

/** A manifest or a bundle that cannot be used; the message names the field or file and what is wrong with it. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}

/**
 * Checks a parsed `manifest.json`.
 * @throws BundleError that names the first few fields that are wrong.
 */
export function parseManifest(json: unknown): Manifest {
  const result = manifestSchema.safeParse(json);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, 3).map((issue) => {
    const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
    return `${path.replace(/^\./, '') || 'manifest'}: ${issue.message}`;
  });
  throw new BundleError(`manifest.json: ${issues.join('; ')}`);
}
