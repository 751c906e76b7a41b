import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { commandTree } from '../../src/cli/reference.js';

/** Every page: its links lead somewhere, and every command, option and script that it names exists. */
const root = join(import.meta.dirname, '../..');
const PAGES = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'models', 'src', 'bench'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md') && !/(^|\/)(node_modules|env)\//.test(name))
      .map((name) => `${folder}/${name}`),
  ),
];
const text = (page: string) => readFileSync(join(root, page), 'utf8');
const { scripts } = JSON.parse(text('package.json')) as { scripts: Record<string, string> };

/** The page without its fenced blocks and inline code, where brackets are no links. */
function prose(markdown: string): string {
  return markdown.replace(/^( *)(```+|~~~+)[\s\S]*?^\1?\2\s*$/gm, '').replace(/(`+)[^`][\s\S]*?\1/g, '');
}

/** Anchors of a page's headings, as GitHub makes them. */
function anchors(markdown: string): Set<string> {
  const plain = markdown.replace(/^( *)(```+|~~~+)[\s\S]*?^\1?\2\s*$/gm, '');
  const seen = new Map<string, number>();
  const out = new Set<string>();
  for (const [, heading = ''] of plain.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    out.add(before === 0 ? slug : `${slug}-${before}`);
  }
  return out;
}

/** What is wrong with the links of a page that stay in the repository. */
function brokenLinks(page: string, markdown: string): string[] {
  return [...prose(markdown).matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z][a-z+.-]*:/.test(link)) return [];
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : relative(root, join(root, dirname(page), decodeURI(path)));
    if (!existsSync(join(root, target))) return [`${link}: there is no ${target}`];
    if (anchor === undefined || !target.endsWith('.md') || !statSync(join(root, target)).isFile()) return [];
    return anchors(target === page ? markdown : text(target)).has(anchor) ? [] : [`${link}: no such heading`];
  });
}

/** Files that a page names in inline code, such as the test that shows something; what a bench writes may be missing. */
function missingFiles(markdown: string): string[] {
  return [...markdown.matchAll(/`((?:src|test|bench|systemd|config|docs|models)\/[\w./-]+)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !path.startsWith('bench/results/') && !existsSync(join(root, path)));
}

/** Lines of shell: of fenced `sh` blocks with their continuations, and inline code. */
function shell(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^( *)```(?:sh|bash|console)\b[^\n]*\n([\s\S]*?)^\1```/gm)].map(
    ([, , block = '']) => block,
  );
  const inline = [...markdown.replace(/^( *)```[\s\S]*?^\1```/gm, '').matchAll(/`([^`]+)`/g)].map(([, code = '']) =>
    code.replaceAll('\n', ' '),
  );
  return [...blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n')), ...inline];
}

/** The words of each command in a line, comments and quoted text taken out. */
function commands(line: string): string[][] {
  return line
    .replace(/'[^']*'|"[^"]*"/g, 'QUOTED')
    .replace(/(^|\s)#.*$/, '')
    .split(/&&|\|\||[|;&()]/)
    .map((command) => {
      const words = command.trim().replace(/^\$ /, '').split(/\s+/).filter(Boolean);
      while (/^([A-Z_]+=.*|sudo|exec|time|nice|npx)$/.test(words[0] ?? '')) words.shift();
      return words;
    });
}

/** What is wrong with one command, if it is one of slothd's or npm's. */
function wrong(words: readonly string[], tree: readonly Command[]): string[] {
  const [program, first] = words;
  const line = words.join(' ');
  if (program === 'npm') {
    const script = first === 'run' ? words.slice(2).find((word) => !/^(-s|--silent)$/.test(word)) : undefined;
    if (script !== undefined && /^[a-z]/.test(script) && !(script in scripts)) return [`${line}: no script ${script}`];
    const isOfSlothd = first === 'start' || script === 'slothd';
    if (!isOfSlothd || !words.includes('--')) return [];
    return wrong(['slothd', ...(first === 'start' ? ['demo'] : []), ...words.slice(words.indexOf('--') + 1)], tree);
  }
  const isNode = program === 'node' && first === 'dist/main.js';
  if (program !== 'slothd' && !isNode) return [];
  return wrongOf(words.slice(isNode ? 2 : 1), tree, line);
}

function wrongOf(words: readonly string[], tree: readonly Command[], line: string): string[] {
  const [name] = words;
  // `slothd`, `slothd --help`, `slothd VERB`, `slothd <node>` and prose such as `slothd's`.
  if (name === undefined || !/^[a-z]/.test(name)) return [];
  let command = tree.find((each) => each.name() === name);
  if (!command) return [`${line}: no verb ${name}`];
  let rest = words.slice(1);
  while (command.commands.length > 0 && rest[0] !== undefined && /^[a-z]/.test(rest[0])) {
    // `slothd model install|activate` names several at once; the line was split there.
    const next: Command | undefined = command.commands.find((each) => each.name() === rest[0]);
    if (!next) return [`${line}: ${command.name()} has no verb ${rest[0]}`];
    command = next;
    rest = rest.slice(1);
  }
  const options = command.options.flatMap(({ long, short }) => [long, short]);
  return rest
    .map((word) => /^(--[a-z][a-z-]*|-[a-zA-Z])(?:=|$)/.exec(word)?.[1])
    .filter((option) => option !== undefined && option !== '--help' && option !== '-h')
    .filter((option) => !options.includes(option))
    .map((option) => `${line}: ${command.name()} has no option ${option}`);
}

test('there are pages, and this test sees what is wrong in one', async () => {
  expect(PAGES).toContain('README.md');
  expect(PAGES.length).toBeGreaterThan(20);
  const tree = await commandTree();
  const bad =
    '# A b\n[x](#a-b) [y](#a-c) [z](nowhere.md)\n```sh\nslothd dance\nslothd lab train --sleep 3 && npm run no:such\n```\n`npm start -- --warp 9`';
  expect(brokenLinks('README.md', bad)).toEqual(['#a-c: no such heading', 'nowhere.md: there is no nowhere.md']);
  expect(
    shell(bad)
      .flatMap(commands)
      .flatMap((words) => wrong(words, tree)),
  ).toEqual([
    'slothd dance: no verb dance',
    'slothd lab train --sleep 3: train has no option --sleep',
    'npm run no:such: no script no:such',
    'slothd demo --warp 9: demo has no option --warp',
  ]);
});

test('docs/README.md leads to every page', () => {
  const index = text('docs/README.md') + text('docs/sensors/README.md').replaceAll('](', '](sensors/');
  const lost = PAGES.filter((page) => /^docs\/(?!(sensors\/)?README)/.test(page)).filter(
    (page) => !index.includes(`](${page.slice('docs/'.length)})`),
  );
  expect(lost, 'add a line to docs/README.md').toEqual([]);
});

describe.each(PAGES)('%s', (page) => {
  test('its links lead somewhere; its commands, options and scripts exist', async () => {
    const markdown = text(page);
    const tree = await commandTree();
    expect(brokenLinks(page, markdown)).toEqual([]);
    expect(missingFiles(markdown)).toEqual([]);
    expect(
      shell(markdown)
        .flatMap(commands)
        .flatMap((words) => wrong(words, tree)),
    ).toEqual([]);
  });
});
