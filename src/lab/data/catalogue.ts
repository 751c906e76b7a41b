/** A public database as PhysioNet publishes it. */
export interface Database {
  readonly name: string;
  readonly title: string;
  /** Path below the archive's `/files/`. */
  readonly path: string;
  /** Which of its files are used. */
  readonly files: RegExp;
  readonly cite: string;
}

export const ARCHIVE = 'https://physionet.org/files/';
/** The list of checksums that every PhysioNet project carries. */
export const CHECKSUMS = 'SHA256SUMS.txt';

const RECORD = /^[A-Za-z0-9_]+\.(dat|hea|atr|ecg|qrs|mat)$/;
const GOLDBERGER = 'Goldberger et al., Circulation 101(23), 2000';

/** What the lab trains and measures on. Open Data Commons Attribution 1.0: cite the papers wherever results are shown. */
export const CATALOGUE: readonly Database[] = [
  {
    name: 'mitdb',
    title: 'MIT-BIH Arrhythmia',
    path: 'mitdb/1.0.0/',
    files: RECORD,
    cite: `Moody & Mark 2001; ${GOLDBERGER}`,
  },
  {
    name: 'svdb',
    title: 'MIT-BIH Supraventricular Arrhythmia',
    path: 'svdb/1.0.0/',
    files: RECORD,
    cite: `Greenwald 1990; ${GOLDBERGER}`,
  },
  {
    name: 'vfdb',
    title: 'MIT-BIH Malignant Ventricular Ectopy',
    path: 'vfdb/1.0.0/',
    files: RECORD,
    cite: `Greenwald 1986; ${GOLDBERGER}`,
  },
  {
    name: 'ltafdb',
    title: 'Long-Term Atrial Fibrillation, annotations',
    path: 'ltafdb/1.0.0/',
    files: /^\d+\.(hea|atr)$/,
    cite: `Petrutiu, Sahakian & Swiryn 2007; ${GOLDBERGER}`,
  },
  { name: 'nsr2db', title: 'Normal Sinus Rhythm RR Interval', path: 'nsr2db/1.0.0/', files: RECORD, cite: GOLDBERGER },
  {
    name: 'afdb',
    title: 'MIT-BIH Atrial Fibrillation, annotations',
    path: 'afdb/1.0.0/',
    files: /^\d+\.(qrs|atr)$/,
    cite: `Moody & Mark 1983; ${GOLDBERGER}`,
  },
  {
    name: 'nstdb',
    title: 'MIT-BIH Noise Stress Test',
    path: 'nstdb/1.0.0/',
    files: RECORD,
    cite: `Moody, Muldrow & Mark 1984; ${GOLDBERGER}`,
  },
  {
    name: 'wrist',
    title: 'Wrist PPG During Exercise',
    path: 'wrist/1.0.0/',
    files: RECORD,
    cite: `Jarchi & Casson 2017; ${GOLDBERGER}`,
  },
];

export function findInCatalogue(name: string): Database | undefined {
  return CATALOGUE.find((database) => database.name === name);
}
