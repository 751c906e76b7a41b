import type { Format, FormatOptions, SerialSettings } from '../../domain/reading.js';
import { ad8232 } from './ad8232.js';
import { antHrm } from './ant-hrm.js';
import { bci } from './bci.js';
import { bitalino } from './bitalino.js';
import { bleHrmHex } from './ble-hrm-hex.js';
import { contecNew } from './contec-new.js';
import { contecOld } from './contec-old.js';
import { genericText } from './generic-text.js';
import { max3010x } from './max3010x.js';
import { max30100 } from './max30100.js';
import { max32664 } from './max32664.js';
import { noninAscii } from './nonin-ascii.js';
import { noninDf1 } from './nonin-df1.js';
import { noninDf2 } from './nonin-df2.js';
import { noninDf7 } from './nonin-df7.js';
import { noninDf8 } from './nonin-df8.js';
import { noninDf13 } from './nonin-df13.js';
import { openbciCyton } from './openbci-cyton.js';
import { polarEcgHex } from './polar-ecg-hex.js';
import { polarHrmi } from './polar-hrmi.js';
import { protocentral } from './protocentral.js';
import { pulsesensorPlotter } from './pulsesensor-plotter.js';
import { pulsesensorProcessing } from './pulsesensor-processing.js';
import { pulsesensorPsws } from './pulsesensor-psws.js';
import { shimmer3 } from './shimmer3.js';
import { zephyrBioharness } from './zephyr-bioharness.js';
import { zephyrHxm } from './zephyr-hxm.js';

const ALL: readonly Format[] = [
  ad8232,
  pulsesensorPlotter,
  pulsesensorProcessing,
  protocentral,
  noninDf2,
  bleHrmHex,
  max3010x,
  max30100,
  max32664,
  noninAscii,
  polarEcgHex,
  polarHrmi,
  pulsesensorPsws,
  noninDf7,
  noninDf8,
  noninDf13,
  noninDf1,
  contecOld,
  contecNew,
  bci,
  zephyrHxm,
  zephyrBioharness,
  antHrm,
  openbciCyton,
  bitalino,
  shimmer3,
  genericText,
];

/** Every wire format slothd speaks, by its name in the configuration. */
export const FORMATS: ReadonlyMap<string, Format> = new Map(ALL.map((format) => [format.id, format]));

/** The format of that name. Throws an Error that lists what there is. */
export function findFormat(id: string): Format {
  const format = FORMATS.get(id);
  if (!format) throw new Error(`no format ${JSON.stringify(id)}; there are ${[...FORMATS.keys()].join(', ')}`);
  return format;
}

/** The port settings of a format with these options. */
export function serialSettings(format: Format, options: FormatOptions): SerialSettings {
  return format.serialFor?.(options) ?? format.serial;
}

/** Throws an Error for an option the format does not know (a typing mistake would else go unnoticed) or a wrong value. */
export function checkOptions(format: Format, options: FormatOptions): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(format.options, name)) continue;
    const known = Object.keys(format.options).join(', ') || 'none';
    throw new Error(`format ${format.id} has no option ${JSON.stringify(name)}; it knows ${known}`);
  }
  checkOptionValues(format, options);
}

/** Throws an Error for a wrong value; names are not looked at. Everything that reads the options is asked once. */
export function checkOptionValues(format: Format, options: FormatOptions): void {
  format.carries(options);
  format.serialFor?.(options);
  format.commands?.(options);
}
