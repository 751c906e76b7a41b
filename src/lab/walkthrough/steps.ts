/** One step of the walkthrough: what it is for, and what a reader types. */
export interface Step {
  readonly title: string;
  readonly text: string;
  /** Run by a shell in `walkthrough/` of the slothd folder, where `slothd` is a command. */
  readonly command: string;
  /** What to look at in the output above it. */
  readonly after?: string;
}

export const STEPS: readonly Step[] = [
  {
    title: 'Recordings',
    text: `Training needs recordings with labelled beats. To be through in a minute, this page uses made-up hearts under the
names of the real recordings. What is learnt of them is good for showing the steps and nothing else. For a real model, leave this step
and every \`--data data\` out and say \`slothd data get mitdb svdb\` once.`,
    command: 'node ../dist/lab/walkthrough/write-hearts.js data',
  },
  {
    title: 'Train',
    text: `Two epochs on all patients. \`--folds 0\` leaves the cross-validation out; the shipped model was made with 5 folds and the
recipe's 12 epochs, which takes minutes.`,
    command: 'slothd lab train --data data --folds 0 --epochs 2 --out made/float',
    after: `The first line says what it computes with; without the native library it is WebAssembly, with the same commands.`,
  },
  {
    title: 'Prune',
    text: '80 % of the weights of each kernel become zero, step by step, while the training goes on and mends what was cut.',
    command: 'slothd lab prune --data data --folds 0 --sparsity 0.8 --from made/float --out made/pruned',
  },
  {
    title: 'Quantize',
    text: `Both networks become ONNX files in float32, float16, static int8 and int8 weights. The ranges of the activations come from
beats of the training recordings.`,
    command: `slothd lab quantize --data data --from made/float
slothd lab quantize --data data --from made/pruned`,
  },
  {
    title: 'Export',
    text: `Every file is run in the runtime that the daemon uses, held against its float model, timed, and put into one bundle with
a card. A file that answers differently would end this step with an error.`,
    command: 'slothd lab export --data data --work made --out bundle',
    after: `A network this small gains size from int8 and pruning, but no time. Where int8 is the slower one on the machine that makes
the bundle, float32 is its default, and the last line says so. The daemon measures again on its own machine.`,
  },
  {
    title: 'Evaluate',
    text: 'The figures of every variant on the test recordings. On made-up hearts they are too good to mean anything.',
    command: 'slothd lab evaluate bundle --data data',
  },
  {
    title: 'Convert',
    text: `The same can be had for a network from elsewhere. Here the pruned TensorFlow.js model stands in for one; [Convert your
model](convert-your-model.md) tells of Keras, SavedModel and ONNX.`,
    command:
      'slothd lab convert made/pruned/model.json --strategy float16 --labels N,S,V --name elsewhere --out elsewhere',
  },
  {
    title: 'Verify',
    text: 'A bundle can be checked on any machine: its files are whole, they load, and they answer as they did where they were made.',
    command: 'slothd model verify bundle',
  },
  {
    title: 'Run',
    text: `A real recording through the daemon's own pipeline: the first minute of record 208 of the MIT-BIH Arrhythmia Database, a
heart with many ventricular beats. The alarm for frequent ectopy counts 100 beats and 15 % of them; one minute of recording holds too
few, so a config asks for less.`,
    command: `cat > alarms.yaml <<'END'
mqtt: { url: mqtt://localhost }
sensors:
  - { name: chest, format: ad8232, link: { type: tcp, host: localhost, port: 2000 } }
alarms:
  frequent-ectopy: { minBeats: 40, on: 0.1, off: 0.05 }
END
slothd replay ../test/fixtures/wfdb/208 --model beat=bundle --config alarms.yaml --events events.jsonl
grep -m 3 '"class":"V"' events.jsonl`,
    after: 'Three of the beats that the new model calls ventricular, with its score for each class.',
  },
  {
    title: 'Alert',
    text: 'And the alert that a daemon would send over MQTT, here as the replay wrote it.',
    command: `grep '"type":"alert"' events.jsonl`,
    after: `\`new\` is the alert, with the beats it counted. \`end\` comes because the recording stops. To run the bundle in the daemon,
see [\`slothd model install\`](updates.md) or name its folder in the config: \`inference: { models: { beat: bundle } }\`.`,
  },
];
