import { readFile } from 'node:fs/promises';
import { isMap, LineCounter, type Node, parseDocument } from 'yaml';
import type { z } from 'zod';
import { migrateConfig } from './migrations.js';
import { type Config, configSchema, mergeAlarms } from './schema.js';

/** One mistake in a config file, where it stands and what is allowed there. */
export interface ConfigProblem {
  /** Dotted path of the key, empty for the document itself. */
  readonly path: string;
  readonly message: string;
  /** 1-based; 0 where the file has no such line (a missing key's parent is named instead). */
  readonly line: number;
  readonly column: number;
}

/** A config that cannot be used. `message` lists every problem with its line, ready to print. */
export class ConfigError extends Error {
  constructor(
    readonly file: string,
    readonly problems: readonly ConfigProblem[],
  ) {
    super(
      problems
        .map((p) => `${file}${p.line > 0 ? `:${p.line}:${p.column}` : ''}: ${p.path ? `${p.path}: ` : ''}${p.message}`)
        .join('\n'),
    );
    this.name = 'ConfigError';
  }
}

/** The prefix of environment variables that override single settings: SLOTHD_CONFIG_MQTT__URL sets `mqtt.url`. */
export const ENV_PREFIX = 'SLOTHD_CONFIG_';

/**
 * Reads and checks a YAML config.
 * @param file path of the YAML file
 * @param env environment, for overrides
 * @throws ConfigError with all problems and their lines
 */
export async function loadConfig(file: string, env: NodeJS.ProcessEnv = process.env): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : String(error);
    throw new ConfigError(file, [{ path: '', message: `cannot read the config: ${why}`, line: 0, column: 0 }]);
  }
  return parseConfig(text, file, env);
}

/** The config of the system's service, and where that one keeps its state unless told otherwise. */
export const SYSTEM_CONFIG = '/etc/slothd/slothd.yaml';
const SYSTEM_STATE = '/var/lib/slothd';

/** As `loadConfig`, from text. */
export function parseConfig(text: string, file: string, env: NodeJS.ProcessEnv = {}): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      file,
      document.errors.map((error) => {
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
  applyEnvironment(raw, env);
  if (file === SYSTEM_CONFIG && typeof raw === 'object' && raw !== null && !('stateDir' in raw))
    Object.assign(raw, { stateDir: SYSTEM_STATE });
  const parsed = configSchema.safeParse(raw);
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
  if (problems.length > 0 || !parsed.success) {
    throw new ConfigError(
      file,
      problems.map((problem) => ({
        path: problem.path.join('.'),
        message: problem.message,
        ...position(document.contents as Node | null, problem.path, lines),
      })),
    );
  }
  return parsed.data;
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
  return [{ path, message: issue.message.replace(/^Invalid input: /, '').replace(/^Invalid option: /, '') }];
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

/** Puts SLOTHD_CONFIG_A__B=value at a.b; values are read as YAML scalars. Key matching ignores case. */
function applyEnvironment(raw: unknown, env: NodeJS.ProcessEnv): void {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return;
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || value === undefined) continue;
    const keys = name.slice(ENV_PREFIX.length).split('__');
    let at = raw as Record<string, unknown>;
    for (const [index, key] of keys.entries()) {
      const known =
        Object.keys(at).find((k) => k.toLowerCase() === key.toLowerCase()) ?? schemaKey(keys.slice(0, index), key);
      if (index === keys.length - 1) at[known] = parseDocument(value).toJS();
      else {
        if (typeof at[known] !== 'object' || at[known] === null) at[known] = {};
        at = at[known] as Record<string, unknown>;
      }
    }
  }
}

/** As much of a zod schema as a walk down its keys needs: wrappers (default, optional) unwrap to the object inside. */
interface Nested {
  readonly unwrap?: () => Nested;
  readonly shape?: Record<string, unknown>;
}

/** The schema's own spelling of a key given in upper case; the key in lower case where the schema has none. */
function schemaKey(parents: readonly string[], key: string): string {
  let shape: Record<string, unknown> | undefined = configSchema.shape as Record<string, unknown>;
  for (const parent of parents) {
    const name: string | undefined = Object.keys(shape ?? {}).find((k) => k.toLowerCase() === parent.toLowerCase());
    let inner: Nested | undefined = name ? (shape?.[name] as Nested) : undefined;
    while (inner && !inner.shape && inner.unwrap) inner = inner.unwrap();
    shape = inner?.shape;
  }
  return Object.keys(shape ?? {}).find((k) => k.toLowerCase() === key.toLowerCase()) ?? key.toLowerCase();
}
