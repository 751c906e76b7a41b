import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { payloadJsonSchemas } from './payloads.js';

/** `node dist/delivery/write-schemas.js [FOLDER]` writes the published JSON Schemas (default config/). */
const folder = process.argv[2] ?? 'config';
for (const [file, schema] of Object.entries(payloadJsonSchemas())) {
  writeFileSync(join(folder, file), `${JSON.stringify(schema, null, 2)}\n`);
}
