import type { DiskFigures, Owner, System } from '../../../src/cli/doctor/system.js';

export interface FakeMachine {
  readonly files?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly forbidden?: readonly string[];
  /** Path -> the code of the refusal to write there. */
  readonly unwritable?: Readonly<Record<string, string>>;
  readonly owners?: Readonly<Record<string, Owner>>;
  readonly isRoot?: boolean;
  readonly disk?: DiskFigures;
  readonly programs?: Readonly<Record<string, string>>;
  readonly wallMs?: number;
}

/** A machine made of a few named files; everything else is absent. */
export function fakeSystem(machine: FakeMachine): System {
  const { files = {}, links = {}, forbidden = [], programs = {}, unwritable = {}, owners = {} } = machine;
  const paths = [...Object.keys(files), ...Object.keys(links)];
  const behind = (path: string): string | null => (links[path] ? behind(links[path]) : path in files ? path : null);
  return {
    user: 'anna',
    isRoot: machine.isRoot ?? false,
    whyNotWritable: async (path) => unwritable[path] ?? null,
    owner: async (path) => owners[path] ?? null,
    text: async (path) => files[path] ?? null,
    list: async (folder) => [
      ...new Set(
        paths
          .filter((path) => path.startsWith(`${folder}/`))
          .map((path) => path.slice(folder.length + 1).split('/')[0]!),
      ),
    ],
    link: async (path) => links[path] ?? null,
    real: async (path) => behind(path),
    mayReadAndWrite: async (path) => path in files && !forbidden.includes(path),
    disk: async () => machine.disk ?? null,
    run: async (program) => programs[program] ?? null,
    wallMs: () => machine.wallMs ?? Date.UTC(2026, 5, 1),
  };
}
