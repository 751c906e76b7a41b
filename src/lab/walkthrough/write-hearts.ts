import { writeHearts } from './hearts.js';

const folder = process.argv[2];
if (!folder || folder.startsWith('-')) {
  process.stderr.write('usage: node dist/lab/walkthrough/write-hearts.js <folder>\n');
  process.exit(1);
}
process.stdout.write(`${folder}: ${await writeHearts(folder)} made-up recordings\n`);
