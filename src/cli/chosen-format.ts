import type { Format, FormatOptions } from '../domain/reading.js';
import { checkOptions, findFormat } from '../sensor/formats/registry.js';
import { UsageError } from './usage-error.js';

/** The format a person named, with options it understands. @throws UsageError */
export function chosenFormat(id: string, options: FormatOptions): Format {
  try {
    const format = findFormat(id);
    checkOptions(format, options);
    return format;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
