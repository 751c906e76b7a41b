import { join } from 'node:path';
import { readHeader } from '../wfdb/index.js';
import { patientOf, type Split } from './split-file.js';

/**
 * Which records are one person's, as their headers say; a number means the same person within one database only.
 * @param dataFolder holds the databases
 * @param records as `database/record`
 * @throws WfdbError: a header that is none
 */
export async function patientsByHeader(dataFolder: string, records: readonly string[]): Promise<Split['patients']> {
  const groups = new Map<string, string[]>();
  for (const record of records) {
    const patient = patientOf((await readHeader(join(dataFolder, record))).comments);
    if (patient === null) continue;
    const key = `${record.split('/')[0]}/${patient}`;
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  return [...groups.values()].filter(({ length }) => length > 1);
}
