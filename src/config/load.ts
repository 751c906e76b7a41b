import { createReadStream } from 'node:fs';
import { isMap, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { applyEnvironment, parseWithOverrides, serviceEnvironment } from './environment.js';
import { migrateConfig } from './migrations.js';
import { type Config, mergeAlarms } from './schema.js';

/** One mistake in a config file, where it stands and what is allowed there. */
export interface ConfigProblem {
  /** Dotted path of the key, empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** 1-based; 0 where the file has no such line (a missing key's parent is named instead). */
  readonly line: number;
  readonly column: number;
  /** The environment variable that says it, where it is not the file. */
  readonly variable?: string | undefined;
}

/** A config that cannot be used. `message` lists every problem with its line, ready to print. */
export class ConfigError extends Error {
  constructor(
    readonly file: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    super(
      problems
        .map(({ variable, line, column, path, message }) => {
          const place = variable ?? `${file}${line > 0 ? `:${line}:${column}` : ''}`;
          return `${place}: ${path ? `${path}: ` : ''}${message}`;
        })
        .join('\n'),
    );
    this.name = 'ConfigError';
  }
}

/**
 * Reads and checks a YAML config.
 * @param file path of the YAML file
 * @param env environment, for overrides
 * @throws ConfigError with all problems and their lines
 */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Promise<Config> {
  let text: string;
  try {
    text = await readBounded(file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const sudo = code === 'EACCES' && file === SYSTEM_CONFIG ? ': use sudo' : '';
    const why = `${WHY_UNREADABLE[code ?? ''] ?? (error as Error).message}${sudo}`;
    throw new ConfigError(file, [{ path: '', message: `cannot read the config: ${why}`, line: 0, column: 0 }]);
  }
  return parseConfig(text, file, file === SYSTEM_CONFIG ? { ...(await serviceEnvironment()), ...env } : env);
}

/** Far more than any config holds: a device or a recording that was named by mistake must not fill the memory. */
const MOST_BYTES = 4 * 1024 * 1024;

async function readBounded(file: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MOST_BYTES)
      throw new ConfigError(file, [{ path: '', message: 'this is too large for a config', line: 0, column: 0 }]);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** One mistake may make the parser stumble a hundred times. */
const MOST_ERRORS = 5;

const WHY_UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'it may not be read',
  EPERM: 'it may not be read',
  EISDIR: 'it is a folder',
};

/** Where each key of a config that was read stands in its file. */
const PLACES = new WeakMap<Config, (path: readonly PropertyKey[]) => { line: number; column: number }>();

/** Where a key stands in the file a config was read from, or the nearest parent that is there; line 0 where nobody knows. */
export function placeIn(config: Config, path: readonly PropertyKey[]): { line: number; column: number } {
  return PLACES.get(config)?.(path) ?? { line: 0, column: 0 };
}

/** The config of the system's service, and where that one keeps its state unless told otherwise. */
export const SYSTEM_CONFIG = '/etc/slothd/slothd.yaml';
const SYSTEM_STATE = '/var/lib/slothd';

/** As `loadConfig`, from text. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv = {}): Config {
  const lines = new LineCounter();
  const document = documentOf(text, file, lines);
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.slice(0, MOST_ERRORS).map((error) => {
        const at = lines.linePos(error.pos[0]);
        return {
          path: '',
          message: error.message.split(' at line')[0] ?? error.message,
          line: at.line,
          column: at.col,
        };
      }),
    );
  }
  const raw = contentOf(document, file);
  const tooNew = migrateConfig(raw);
  if (tooNew) {
    const at = position(document.contents as Node | null, ['version'], lines);
    throw new ConfigError(file, [{ path: 'version', message: tooNew, ...at }]);
  }
  const overrides = applyEnvironment(raw, env);
  if (file === SYSTEM_CONFIG && typeof raw === 'object' && raw !== null && !('stateDir' in raw))
    Object.assign(raw, { stateDir: SYSTEM_STATE });
  const parsed = parseWithOverrides(raw, overrides);
  const problems = parsed.success ? [] : parsed.error.issues.flatMap((issue) => describe(issue));
  if (parsed.success) {
    const { alarms, persons, sensors } = parsed.data;
    const worn = new Map<string, typeof alarms>();
    for (const [name, person] of Object.entries(persons)) {
      const merged = mergeAlarms(alarms, person.alarms);
      if (merged.success) worn.set(name, merged.data);
      else problems.push(...merged.error.issues.flatMap((issue) => describe(issue, ['persons', name, 'alarms'])));
      if (!sensors.some((sensor) => sensor.person === name)) {
        problems.push({ path: ['persons', name], message: `no sensor is worn by '${name}' (its \`person\`)` });
      }
    }
    for (const [index, sensor] of sensors.entries()) {
      const merged = mergeAlarms(worn.get(sensor.person ?? '') ?? alarms, sensor.alarms);
      if (!merged.success) {
        problems.push(...merged.error.issues.flatMap((issue) => describe(issue, ['sensors', index, 'alarms'])));
      }
    }
  }
  const place = (path: readonly PropertyKey[]) => position(document.contents as Node | null, path, lines);
  if (problems.length > 0 || !parsed.success) {
    throw new ConfigError(
      file,
      problems.map(({ path, message }) => ({
        path: path.join('.'),
        message,
        ...place(path),
        variable: overrides.find(({ keys }) => keys.every((key, at) => key === String(path[at])))?.name,
      })),
    );
  }
  PLACES.set(parsed.data, place);
  return parsed.data;
}

/** @throws ConfigError where the text is nested so deeply that the parser gives up */
function documentOf(text: string, file: string, lineCounter: LineCounter) {
  try {
    return parseDocument(text, { lineCounter, uniqueKeys: true });
  } catch (error) {
    throw new ConfigError(file, [{ path: '', message: (error as Error).message, line: 0, column: 0 }]);
  }
}

/** What the document says. An alias without its anchor, or a bomb of aliases, is found out only here. */
function contentOf(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return (document.toJS() as unknown) ?? {};
  } catch (error) {
    throw new ConfigError(file, [{ path: '', message: (error as Error).message, line: 0, column: 0 }]);
  }
}

interface RawProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** One zod issue in words a person can act on. Unknown keys become one problem each, at the key itself. */
function describe(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[] = []): RawProblem[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...path, key], message: 'unknown key' }));
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return [
      {
        path,
        message:
          issue.errors
            .flat()
            .map((inner) => inner.message)
            .join(' or ') || issue.message,
      },
    ];
  }
  if (path.length === 0 && issue.code === 'invalid_type')
    return [{ path, message: 'this is no config: a map of keys, such as `sensors:`, is expected' }];
  const message = issue.message
    .replace(/^Invalid input: expected (.+), received undefined$/, 'must be given: $1')
    .replace(/^Invalid (input|option): /, '');
  return [{ path, message }];
}

/** Where a path stands in the file: the key itself, or the nearest parent that exists. */
function position(
  root: Node | null,
  path: readonly PropertyKey[],
  lines: LineCounter,
): { line: number; column: number } {
  let node: unknown = root;
  let offset = root?.range?.[0] ?? -1;
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => String((item.key as { value?: unknown })?.value ?? item.key) === String(key),
      );
      if (!pair) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (node && typeof node === 'object' && 'items' in node) {
      const item = (node as { items: Node[] }).items[Number(key)];
      if (!item) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  if (offset < 0) return { line: 0, column: 0 };
  const at = lines.linePos(offset);
  return { line: at.line, column: at.col };
}
