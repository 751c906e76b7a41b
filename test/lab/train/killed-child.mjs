// Trains the small net with a checkpoint after every step, and says each step; its parent kills it.
// Usage: node killed-child.mjs CHECKPOINT
import { writeSync } from 'node:fs';
import { openBackend } from '../../../dist/lab/backend.js';
import { plannedPruner } from '../../../dist/lab/prune/plan.js';
import { trainModel } from '../../../dist/lab/train/loop.js';
import { Random } from '../../../dist/lab/train/random.js';
import { seededDropout } from '../../../dist/lab/train/seeded-dropout.js';
import { smallTraining } from './small-training.mjs';

await openBackend('wasm');
const { weights } = await smallTraining(
  { plannedPruner, trainModel, Random, seededDropout },
  {
    checkpoint: { file: process.argv[2], resume: true, everyMs: 0 },
    onStep: (step) => writeSync(1, `step ${step}\n`),
  },
);
writeSync(1, `weights ${JSON.stringify(weights)}\n`);
