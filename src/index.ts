/** slothd as a library: the stations another program may want by themselves. The lab is `slothd/lab`. */
export { AlarmEngine, type AlarmEngineOptions } from './alarm/engine.js';
export { ConfigError, loadConfig, parseConfig } from './config/load.js';
export type { Config } from './config/schema.js';
export type { AlertChange, AlertKind, Evidence } from './domain/alert.js';
export type { Beat, BeatScores } from './domain/beat.js';
export type { Carries, Decoder, Format, ReadingSink } from './domain/reading.js';
export type { Rhythm } from './domain/rhythm.js';
export { loadBundle } from './inference/bundle/load.js';
export { InferenceRunner } from './inference/runner.js';
export { FORMATS, findFormat } from './sensor/formats/registry.js';
export { EcgBeatDetector } from './signal/ecg/detector.js';
export { RrIrregularity } from './signal/irregularity.js';
export { builtInScenario, makeScenario } from './simulator/scenario.js';
export { SimulatedSensor } from './simulator/sensor.js';
export { VirtualPort } from './simulator/virtual-port.js';
