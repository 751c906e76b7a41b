import { readSplit, recordsOf, shippedSplitFile } from './split-file.js';

const BEATS = readSplit(shippedSplitFile('beat-ecg'));

/**
 * Records of MITDB by the split of de Chazal, O'Dwyer & Reilly (IEEE TBME 51:1196, 2004), which nearly all published
 * work on beat classes uses: `config/splits/beat-ecg.json`.
 */
export const MITDB_DS1: readonly string[] = recordsOf(BEATS, 'train', 'mitdb');

/**
 * The test half. Never used to train, calibrate, or choose anything. (201 in DS1 and 202 here are one patient, by the
 * database's own notes: a known blemish of the split.)
 */
export const MITDB_DS2: readonly string[] = recordsOf(BEATS, 'test', 'mitdb');

/** The supraventricular database's records; those present on the machine take part in training. */
export const SVDB: readonly string[] = recordsOf(BEATS, 'train', 'svdb');
