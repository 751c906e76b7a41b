import { z } from 'zod';
import { configSchema } from './schema.js';

/** The config's JSON Schema (draft 2020-12) as an editor wants it: keys with defaults may be left out. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(configSchema, { io: 'input' });
  // The host's name is a default of the machine that prints the schema, not of the schema.
  const node = (schema.properties as Record<string, { default?: unknown }>).node;
  delete node?.default;
  return { ...schema, title: 'slothd configuration' };
}
