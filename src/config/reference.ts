import { configJsonSchema } from './json-schema.js';

/** As much of JSON Schema as the config's schema uses. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

interface Row {
  readonly key: string;
  readonly schema: Schema;
  readonly needed: boolean;
}

const HEAD = `# Config

Written by \`npm run references\` from the schema that \`slothd check\` uses; \`slothd schema\` prints it for editors and programs.
A full example is [config/slothd.example.yaml](../config/slothd.example.yaml).

The file is YAML. A key that is not here is a mistake, said with its line. Keys in a row such as \`tls.caFile\` are nested: \`tls:\` with
\`caFile:\` below it. Any single key can be set from the environment: \`SLOTHD_CONFIG_MQTT__URL\` is \`mqtt.url\`, two underscores for
each dot. Secrets are never in this file: the keys that end in \`File\` name files that hold them.

`;

/** docs/config-reference.md: every key with type, range, default and description, a table for each section. */
export function configReference(): string {
  const { properties = {}, required = [] } = configJsonSchema() as Schema;
  const top: Row[] = [];
  const sections: string[] = [];
  for (const [key, schema] of Object.entries(properties)) {
    const row = { key, schema, needed: required.includes(key) };
    if (schema.properties || schema.items?.properties || valuesOf(schema)?.properties) sections.push(section(row));
    else top.push(row);
  }
  return `${HEAD}## Top level\n\n${table(top)}\n\n${sections.join('\n\n')}\n`;
}

function section({ key, schema, needed }: Row): string {
  const shape = schema.items
    ? 'A list; each entry has these keys.'
    : schema.properties
      ? ''
      : 'A map; below each name of your own stand these keys.';
  const inner = schema.items ?? valuesOf(schema) ?? schema;
  const groups = new Map<string, Row[]>();
  // Large sections, such as `alarms`, read better with a table for each of their own sections.
  const nested = Object.values(inner.properties ?? {}).filter((child) => child.properties).length > 2;
  for (const row of rows(inner, '')) {
    const group = nested && row.key.includes('.') ? row.key.slice(0, row.key.indexOf('.')) : '';
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  const out = [
    `## ${key}`,
    [schema.description ?? '', shape, needed ? 'Must be there.' : ''].filter(Boolean).join(' '),
  ];
  for (const [group, members] of [...groups].sort(([a], [b]) => Number(a !== '') - Number(b !== ''))) {
    if (group !== '') {
      out.push(`### ${key}.${group}`);
      const description = inner.properties?.[group]?.description;
      if (description) out.push(description);
    }
    out.push(table(members.map((row) => (group === '' ? row : { ...row, key: row.key.slice(group.length + 1) }))));
  }
  return out.join('\n\n');
}

/** Every key that holds a value, nested ones by their dotted names. */
function rows(schema: Schema, prefix: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const key = `${prefix}${name}`;
    if (child.properties) return rows(child, `${key}.`);
    const row = { key, schema: child, needed: schema.required?.includes(name) ?? false };
    const kinds = child.oneOf?.filter((kind) => kind.properties) ?? [];
    if (kinds.length === 0) return [row];
    return [
      row,
      ...kinds.flatMap((kind) => rows(kind, `${key}.`).map((each) => ({ ...each, key: `${each.key}${of(kind)}` }))),
    ];
  });
}

/** ` (serial)` for a kind that is told by its `type`. */
function of(kind: Schema): string {
  const type = kind.properties?.type?.const;
  return type === undefined ? '' : ` (${String(type)})`;
}

function table(all: readonly Row[]): string {
  const lines = all.map(({ key, schema, needed }) => {
    const [, name = key, kind = ''] = /^(\S+)( \(.*\))?$/.exec(key) ?? [];
    const byDefault = needed
      ? 'must be given'
      : schema.default === undefined
        ? ''
        : code(JSON.stringify(schema.default));
    return `| \`${name}\`${kind} | ${typeOf(schema)} | ${byDefault} | ${text(schema.description ?? '')} |`;
  });
  return ['| key | value | default | |', '| --- | --- | --- | --- |', ...lines].join('\n');
}

/** What may stand there, in words: `number, 20 to 1000`. */
function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ');
  const kinds = schema.anyOf ?? schema.oneOf;
  if (kinds) return [...new Set(kinds.map((kind) => (kind.properties ? `map${of(kind)}` : typeOf(kind))))].join(' or ');
  if (schema.items) return `list of ${typeOf(schema.items)}${count(schema.minItems, schema.maxItems, '')}`;
  if (schema.type === 'object') return 'map';
  const range =
    schema.type === 'string'
      ? count(schema.minLength === 1 ? undefined : schema.minLength, schema.maxLength, ' characters')
      : bounds(schema);
  return `${kindOf(schema.type)}${range}`;
}

function kindOf(type: Schema['type']): string {
  const words: Readonly<Record<string, string>> = {
    boolean: '`true` or `false`',
    integer: 'whole number',
    string: 'text',
  };
  const all = typeof type === 'string' ? [type] : (type ?? ['anything']);
  return all.map((word) => words[word] ?? word).join(' or ');
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, type }: Schema): string {
  // The widest whole number that JavaScript holds is no limit that a person would meet.
  const high = type === 'integer' && maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  if (minimum !== undefined && high !== undefined) return `, ${minimum} to ${high}`;
  const low =
    minimum !== undefined
      ? `, ${minimum} or more`
      : exclusiveMinimum !== undefined
        ? `, above ${exclusiveMinimum}`
        : '';
  const top =
    high !== undefined ? `, at most ${high}` : exclusiveMaximum !== undefined ? `, below ${exclusiveMaximum}` : '';
  return `${low}${top}`;
}

function count(least: number | undefined, most: number | undefined, what: string): string {
  if (least !== undefined && most !== undefined) return `, ${least} to ${most}${what}`;
  if (most !== undefined) return `, at most ${most}${what}`;
  return least !== undefined && least > 0 ? `, at least ${least}${what}` : '';
}

function valuesOf(schema: Schema): Schema | undefined {
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function code(value: string): string {
  return `\`${text(value)}\``;
}

function text(value: string): string {
  return value.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}
