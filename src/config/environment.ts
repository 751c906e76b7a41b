import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import { configSchema } from './schema.js';

/** The prefix of environment variables that override single settings: SLOTHD_CONFIG_MQTT__URL sets `mqtt.url`. */
export const ENV_PREFIX = 'SLOTHD_CONFIG_';

/** A setting that the environment gives. */
export interface Override {
  /** The variable. */
  readonly name: string;
  readonly keys: readonly string[];
  readonly text: string;
  put(value: unknown): void;
}

/** Puts SLOTHD_CONFIG_A__B=value at a.b; values are read as YAML scalars. Key matching ignores case. */
export function applyEnvironment(raw: unknown, env: NodeJS.ProcessEnv): Override[] {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return [];
  const overrides: Override[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || text === undefined) continue;
    const words = name.slice(ENV_PREFIX.length).split('__');
    const keys: string[] = [];
    let at = raw as Record<string, unknown>;
    for (const [index, word] of words.entries()) {
      const known =
        Object.keys(at).find((k) => k.toLowerCase() === word.toLowerCase()) ?? schemaKey(words.slice(0, index), word);
      keys.push(known);
      if (index < words.length - 1) {
        if (typeof at[known] !== 'object' || at[known] === null) at[known] = {};
        at = at[known] as Record<string, unknown>;
      }
    }
    const parent = at;
    const put = (value: unknown) => {
      parent[keys.at(-1) as string] = value;
    };
    put(scalarOf(text));
    overrides.push({ name, keys, text, put });
  }
  return overrides;
}

/** What is no YAML, such as `@home`, is the text that it is. */
function scalarOf(text: string): unknown {
  const document = parseDocument(text);
  if (document.errors.length > 0) return text;
  try {
    return document.toJS();
  } catch {
    return text;
  }
}

/** A value that YAML takes for a number or a truth value is given as text where only that fits: a user called 0815. */
export function parseWithOverrides(raw: unknown, overrides: readonly Override[]) {
  const parsed = configSchema.safeParse(raw);
  if (parsed.success) return parsed;
  const unfit = overrides.filter(({ keys }) =>
    parsed.error.issues.some(({ path }) => path.map(String).join('\0') === keys.join('\0')),
  );
  if (unfit.length === 0) return parsed;
  for (const { put, text } of unfit) put(text);
  const again = configSchema.safeParse(raw);
  if (again.success || again.error.issues.length < parsed.error.issues.length) return again;
  return parsed;
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

/** The file whose lines the unit hands to the service (`EnvironmentFile=`). */
const SERVICE_FILE = '/etc/default/slothd';

/**
 * The settings that the service gets from there: `slothd check`, `doctor` and `alerts` in a shell shall see the config that
 * the service has. Empty where there is no such file, or it may not be read.
 */
export async function serviceEnvironment(file: string = SERVICE_FILE): Promise<NodeJS.ProcessEnv> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const found: NodeJS.ProcessEnv = {};
  for (const line of text.split('\n')) {
    const [, name, value = ''] = /^\s*(\w+)=(.*?)\s*$/.exec(line) ?? [];
    // As systemd.exec(5) has it: quotes around a value are none of it.
    if (name?.startsWith(ENV_PREFIX)) found[name] = /^(["'])(.*)\1$/.exec(value)?.[2] ?? value;
  }
  return found;
}
