import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** There is no container engine where the tests run: what can be known of the file without one. */

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'systemd/Containerfile'), 'utf8');
const instructions = text
  .replace(/^\s*#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => {
    const [, name = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    return { name, rest };
  });
const all = (name: string) => instructions.filter((one) => one.name === name).map(({ rest }) => rest);
const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
const tree = readFileSync(join(root, 'systemd/package/tree.mjs'), 'utf8');

it('has only instructions that there are', () => {
  const known = /^(FROM|ARG|ENV|WORKDIR|COPY|RUN|USER|VOLUME|HEALTHCHECK|STOPSIGNAL|ENTRYPOINT|CMD)$/;
  expect(instructions.filter(({ name }) => !known.test(name))).toEqual([]);
  for (const list of [
    ...all('ENTRYPOINT'),
    ...all('CMD'),
    ...all('HEALTHCHECK').map((rest) => rest.replace(/^.*CMD /, '')),
  ])
    expect(JSON.parse(list)).toBeInstanceOf(Array);
});

it('copies from the checkout what is there and is not ignored', () => {
  for (const rest of all('COPY').filter((one) => !one.startsWith('--from'))) {
    for (const source of rest.split(/\s+/).slice(0, -1)) {
      expect(existsSync(join(root, source)), source).toBe(true);
      expect(ignored, source).not.toContain(source);
    }
  }
  // What the build and the package's script read.
  for (const path of [
    'src',
    'models',
    'config',
    'docs',
    'systemd',
    'README.md',
    'tsconfig.build.json',
    'tsconfig.json',
  ]) {
    expect(existsSync(join(root, path)), path).toBe(true);
    expect(ignored, path).not.toContain(path);
  }
});

it('makes its content with the script of the Debian package, and starts what that lays down', () => {
  const made = all('RUN').find((rest) => rest.includes('--payload /payload'));
  expect(made).toMatch(/node systemd\/package\.mjs --arch "\$\{TARGETARCH:-\$\(dpkg --print-architecture\)\}"/);
  expect(readFileSync(join(root, 'systemd/package.mjs'), 'utf8')).toContain('payload: { type:');
  for (const rest of all('COPY').filter((one) => one.startsWith('--from'))) {
    const [, from = '', to = ''] = rest.split(/\s+/);
    expect(from).toBe(`/payload${to}`);
  }
  expect(tree).toContain("const LIB = 'usr/lib/slothd'");
  for (const file of ['runtime/node', 'bin/slothd']) expect(tree).toContain(`\`\${LIB}/${file}\``);
  expect(JSON.parse(all('ENTRYPOINT')[0] ?? '')).toEqual(['/usr/lib/slothd/bin/slothd']);
});

it('builds for the platform that is asked for, with a compiler that is there', () => {
  // A default would hide the value that --platform gives.
  expect(all('ARG')).toContain('TARGETARCH');
  expect(all('ARG').filter((rest) => /^(TARGET|BUILD)\w+=/.test(rest))).toEqual([]);
  // `npm run build` needs what is optional in the lock: the compiler's binary, the lab's types.
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optional?: boolean }>;
  };
  expect(lock.packages['node_modules/@typescript/typescript-linux-x64']?.optional).toBe(true);
  expect(all('RUN')).toContain('npm ci');
});

it('runs as its own user, keeps its state in a volume and is watched by /livez', () => {
  const at = (name: string) => instructions.map((one) => one.name).lastIndexOf(name);
  expect(all('USER')).toEqual(['slothd']);
  expect(at('USER')).toBeGreaterThan(at('RUN'));
  expect(all('VOLUME')).toEqual(['/var/lib/slothd']);
  expect(all('HEALTHCHECK')[0]).toContain('/livez');
});
