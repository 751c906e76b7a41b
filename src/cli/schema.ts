import { Command } from 'commander';
import { configJsonSchema } from '../config/json-schema.js';

export function schemaCommand(): Command {
  return new Command('schema')
    .description("Print the config's JSON Schema (published as config/slothd.schema.json).")
    .action(() => {
      process.stdout.write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
    });
}
