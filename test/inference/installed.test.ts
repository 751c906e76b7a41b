import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readArchive } from '../../src/inference/bundle/archive.js';
import { InstalledModels, SHIPPED } from '../../src/inference/bundle/installed.js';
import { signManifest } from '../../src/inference/bundle/signature.js';
import { tinyBundle } from './helpers.js';

let state: string;
let models: InstalledModels;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'slothd-state-'));
  models = new InstalledModels(state);
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

const fine = async () => {};
const version = (text: string) => tinyBundle((manifest) => Object.assign(manifest, { version: text }));

describe('installing a bundle', () => {
  it('from a folder: only what the manifest names is kept, readable by the service', async () => {
    const source = version('1.0');
    writeFileSync(join(source, 'stray.sh'), 'echo hello');
    const { name, id, folder, active } = await models.install(source, [], fine);
    expect({ name, active }).toEqual({ name: 'tiny-beat', active: false });
    expect(id).toMatch(/^1\.0-[0-9a-f]{8}$/);
    expect(existsSync(join(folder, 'stray.sh'))).toBe(false);
    expect(statSync(join(folder, 'manifest.json')).mode & 0o777).toBe(0o644);
    expect(await models.candidates('tiny-beat')).toEqual([SHIPPED]);
  });

  it.each([
    ['tar.gz', (dir: string, file: string) => execFileSync('tar', ['-czf', file, '-C', dirname(dir), basename(dir)])],
    ['tar of the files alone', (dir: string, file: string) => execFileSync('tar', ['-cf', file, '-C', dir, '.'])],
    [
      'zip',
      (dir: string, file: string) =>
        writeFileSync(file, zipOf({ 'm/manifest.json': read(dir, 'manifest.json'), ...prefixed(dir) })),
    ],
  ])('from a %s', async (_, pack) => {
    const file = join(state, 'bundle');
    pack(version('1.0'), file);
    expect((await models.install(file, [], fine)).id).toMatch(/^1\.0-/);
  });

  it('refuses what does not verify, and nothing changes', async () => {
    const bad = tinyBundle((_, dir) => writeFileSync(join(dir, 'model.fp32.onnx'), 'something else'));
    await expect(models.install(bad, [], fine)).rejects.toThrow(/model\.fp32\.onnx/);
    const refusing = () => Promise.reject(new Error('golden case 0 differs'));
    await expect(models.install(version('1.0'), [], refusing)).rejects.toThrow(/golden case 0/);
    await expect(models.install(join(state, 'nothing'), [], fine)).rejects.toThrow(/no such file/);
    expect(await models.list()).toEqual([]);
  });
});

describe('a machine that is not as it should be', () => {
  it('a link to a bundle is followed, a pipe and a folder of other things are not read', async () => {
    const link = join(state, 'latest');
    symlinkSync(version('1.0'), link);
    expect((await models.install(link, [], fine)).name).toBe('tiny-beat');
    await expect(models.install('/dev/zero', [], fine)).rejects.toThrow(/neither a file nor a folder/);
    await expect(models.install('/usr/bin', [], fine)).rejects.toThrow(/no manifest\.json/);
  });

  it('what a killed install left is swept away, one under way is not; folders are open whatever the umask', async () => {
    const [old, young] = ['.incoming-old', '.incoming-young'].map((name) => join(models.folder, name));
    for (const folder of [old!, young!]) mkdirSync(folder, { recursive: true });
    utimesSync(old!, 0, 0);
    const before = process.umask(0o077);
    const { folder } = await models.install(version('1.0'), [], fine).finally(() => process.umask(before));
    expect([existsSync(old!), existsSync(young!)]).toEqual([false, true]);
    for (const path of [dirname(folder), folder]) expect(statSync(path).mode & 0o777, path).toBe(0o755);
  });

  it('the same bundle again mends a damaged one', async () => {
    const source = version('1.0');
    const { folder } = await models.install(source, [], fine);
    writeFileSync(join(folder, 'manifest.json'), 'damaged');
    expect((await models.install(source, [], fine)).folder).toBe(folder);
    expect(readFileSync(join(folder, 'manifest.json'), 'utf8')).toContain('tiny-beat');
    expect((await models.list()).length).toBe(1);
  });

  it('a choice that the daemon refused leaves no trace for a rollback', async () => {
    const { id } = await models.install(version('1.0'), [], fine);
    await models.activate('tiny-beat', id);
    const before = await models.choice('tiny-beat');
    await models.install(version('2.0'), [], fine);
    await models.activate('tiny-beat');
    await models.restore('tiny-beat', before);
    expect(await models.rollback('tiny-beat')).toBe(SHIPPED);
  });
});

describe('an archive that means harm', () => {
  const manifest = Buffer.from('{}');

  it.each(['../evil', 'a/../../evil', '/etc/evil', 'a\\..\\evil'])('path %s leads out: refused', (path) => {
    expect(() =>
      readArchive(
        tarOf([
          ['manifest.json', manifest],
          [path, manifest],
        ]),
      ),
    ).toThrow(/leads out of it/);
    expect(() => readArchive(zipOf({ 'manifest.json': manifest, [path]: manifest }))).toThrow(/leads out of it/);
  });

  it('a link, a device, a damaged header, an early end: refused', () => {
    expect(() => readArchive(tarOf([['manifest.json', manifest, '2']]))).toThrow(/no plain file/);
    expect(() => readArchive(tarOf([['manifest.json', manifest, '3']]))).toThrow(/no plain file/);
    expect(() => readArchive(Buffer.alloc(1024, 'x'))).toThrow(/neither a tar nor a zip/);
    const zip = zipOf({ 'manifest.json': Buffer.alloc(5000, 1) });
    expect(() => readArchive(zip.subarray(0, 60))).toThrow(/ends too early/);
    expect(() => readArchive(Buffer.from([0x1f, 0x8b, 8, 0, 1, 2]))).toThrow(/damaged/);
  });

  it('a bomb is not unpacked', () => {
    const bomb = gzipSync(Buffer.alloc(200 * 2 ** 20), { level: 9 });
    expect(bomb.length).toBeLessThan(300_000);
    expect(() => readArchive(bomb)).toThrow(/damaged/);
    const many = Object.fromEntries(Array.from({ length: 70 }, (_, at) => [`f${at}`, manifest]));
    expect(() => readArchive(zipOf(many))).toThrow(/more than 64 files/);
  });

  it('every cut and every flipped byte of a good one is refused in words or read, never anything else', () => {
    const zip = zipOf({ 'manifest.json': Buffer.from('{"name":"x"}'), 'model.onnx': Buffer.alloc(300, 7) });
    const outcomes = { read: 0, refused: 0 };
    for (let at = 0; at < zip.length; at++) {
      for (const damaged of [
        zip.subarray(0, at),
        Buffer.concat([zip.subarray(0, at), Buffer.from([0xff ^ zip[at]!]), zip.subarray(at + 1)]),
      ]) {
        try {
          readArchive(damaged);
          outcomes.read++;
        } catch (error) {
          expect((error as Error).name).toBe('BundleError');
          outcomes.refused++;
        }
      }
    }
    expect(outcomes.refused).toBeGreaterThan(zip.length);
  });

  it('a symbolic link in a folder is not followed', async () => {
    const source = version('1.0');
    rmSync(join(source, 'model.fp32.onnx'));
    symlinkSync('/etc/hostname', join(source, 'model.fp32.onnx'));
    await expect(models.install(source, [], fine)).rejects.toThrow(/model\.fp32\.onnx/);
  });
});

describe('signatures', () => {
  const key = () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  };
  const signed = (pem: string) => {
    const source = version('1.0');
    const { signature, publicKey } = signManifest(readFileSync(join(source, 'manifest.json')), pem);
    writeFileSync(join(source, 'manifest.sig'), signature);
    return { source, publicKey };
  };

  it('a pinned key lets its bundles in, and no others', async () => {
    const { source, publicKey } = signed(key());
    expect((await models.install(source, [publicKey], fine)).name).toBe('tiny-beat');
    await expect(models.install(signed(key()).source, [publicKey], fine)).rejects.toThrow(/by none of/);
    await expect(models.install(version('1.0'), [publicKey], fine)).rejects.toThrow(/is not signed/);
    writeFileSync(join(source, 'manifest.json'), `${readFileSync(join(source, 'manifest.json'))} `);
    await expect(models.install(source, [publicKey], fine)).rejects.toThrow(/by none of/);
  });

  it('another kind of key is said', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    expect(() => signManifest(Buffer.from('{}'), pem)).toThrow(/rsa, Ed25519 is needed/);
    expect(() => signManifest(Buffer.from('{}'), 'no key')).toThrow(/cannot be read/);
  });
});

describe('activate and rollback', () => {
  it('the active one first, then what was active before, then the shipped one', async () => {
    const first = await models.install(version('1.0'), [], fine);
    const second = await models.install(version('2.0'), [], fine);
    expect(await models.activate('tiny-beat', first.id)).toBe(first.id);
    await models.activate('tiny-beat', second.id);
    expect(await models.candidates('tiny-beat')).toEqual([second.folder, first.folder, SHIPPED]);
    expect(await models.rollback('tiny-beat')).toBe(first.id);
    expect(await models.rollback('tiny-beat')).toBe(SHIPPED);
    await expect(models.rollback('tiny-beat')).rejects.toThrow(/nothing was active before/);
    await expect(models.activate('tiny-beat', '9.9-00000000')).rejects.toThrow(/is not installed; there are/);
    await expect(models.activate('other')).rejects.toThrow(/no bundle of other is installed/);
    await expect(models.activate('../..', 'x')).rejects.toThrow(/not installed/);
  });

  it('old ones are tidied away, never the active one', async () => {
    const first = await models.install(version('1.0'), [], fine);
    await models.activate('tiny-beat', first.id);
    for (const at of [2, 3, 4, 5, 6, 7]) await models.install(version(`${at}.0`), [], fine);
    const left = await models.list();
    expect(left).toHaveLength(5);
    expect(left.map(({ id }) => id)).toContain(first.id);
    expect(left.find(({ active }) => active)?.id).toBe(first.id);
  });

  it('a damaged note of what is active means the shipped models', async () => {
    mkdirSync(join(state, 'models'), { recursive: true });
    writeFileSync(join(state, 'models/active.json'), '{ "schema": 1, "mod');
    expect(await models.candidates('tiny-beat')).toEqual([SHIPPED]);
  });
});

function read(dir: string, name: string): Buffer {
  return readFileSync(join(dir, name));
}

function prefixed(dir: string): Record<string, Buffer> {
  const { variants } = JSON.parse(read(dir, 'manifest.json').toString()) as { variants: { file: string }[] };
  return Object.fromEntries(variants.map(({ file }) => [`m/${file}`, read(dir, file)]));
}

/** A tar archive with whatever names and types; the real program would refuse to make some of these. */
function tarOf(entries: readonly (readonly [path: string, content: Buffer, type?: string])[]): Buffer {
  const blocks = entries.map(([path, content, type = '0']) => {
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write('0000644\0', 100);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write(type, 156);
    header.write('ustar\0', 257);
    header.fill(' ', 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function zipOf(files: Record<string, Buffer>): Buffer {
  const locals: Buffer[] = [];
  const index: Buffer[] = [];
  let at = 0;
  for (const [path, content] of Object.entries(files)) {
    const packed = deflateRawSync(content);
    const name = Buffer.from(path);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    locals.push(local, name, packed);
    index.push(entry, name);
    at += 30 + name.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...index, end]);
}
