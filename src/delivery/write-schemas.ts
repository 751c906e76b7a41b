import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { asyncApiDocument } from './asyncapi.js';
import { payloadJsonSchemas } from './payloads.js';

/** `node dist/delivery/write-schemas.js [CONFIG [DOCS]]` writes the published JSON Schemas and the AsyncAPI document. */
const [config = 'config', docs = 'docs'] = process.argv.slice(2);
for (const [file, schema] of Object.entries(payloadJsonSchemas())) {
  writeFileSync(join(config, file), `${JSON.stringify(schema, null, 2)}\n`);
}
writeFileSync(join(docs, 'asyncapi.yaml'), stringify(asyncApiDocument(), { aliasDuplicateObjects: false }));
