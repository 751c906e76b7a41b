import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const page = readFileSync('docs/lab-as-a-library.md', 'utf8');
const block = (language: string) => new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;

describe('docs/lab-as-a-library.md', () => {
  it('has a program that runs as it stands and prints what the page says', () => {
    mkdirSync('.slothd', { recursive: true });
    // Inside the package, so that 'slothd/lab' means this one.
    const folder = mkdtempSync(join('.slothd', 'library-'));
    try {
      writeFileSync(join(folder, 'make.mjs'), block('js'));
      const printed = execFileSync(process.execPath, ['make.mjs'], {
        cwd: folder,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(printed.toString()).toBe(/It prints:\n\n```\n([\s\S]*?)```/.exec(page)![1]);
      expect(existsSync(join(folder, 'wide-beats', 'CARD.md'))).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names only what the library has', async () => {
    const library = (await import('../../src/lab/index.js')) as Record<string, unknown>;
    const table = page.slice(page.indexOf('| call | does |'));
    const names = [...table.matchAll(/`(\w+)(?:\([^`]*\))?`/g)].map(([, name]) => name!);
    const plain = names.filter(
      (name) => !['float16', 'dynamic', 'static', 'UnsupportedLayerError', 'quantize', 'prune'].includes(name),
    );
    for (const name of [...plain, 'prune', 'quantize']) expect(library[name], name).toBeTypeOf('function');
  });
});
