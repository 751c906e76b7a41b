import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configReference } from '../config/reference.js';
import { cliReference } from './reference.js';

/** `node dist/cli/write-references.js [DOCS]` writes the pages that follow from the config schema and the commands. */
const docs = process.argv[2] ?? 'docs';
writeFileSync(join(docs, 'config-reference.md'), configReference());
writeFileSync(join(docs, 'cli-reference.md'), await cliReference());
