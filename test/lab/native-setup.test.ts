import { describe, expect, it } from 'vitest';
import { INSTALL_COMMAND, type LoadOutcome, type SetupActions, setUpBackend } from '../../src/lab/native-setup.js';
import { MACHINE } from '../../src/lab/native-setup-actions.js';

const BUILT = new URL('../../dist/lab/native-setup-actions.js', import.meta.url).href;
const LOADS: LoadOutcome = { loads: true };
const fails = (reason: string): LoadOutcome => ({ loads: false, reason });

/** A machine made of answers: what native says at each look, and all else. */
function machine(
  nativeOutcomes: LoadOutcome[],
  { wasm = LOADS, ...rest }: Partial<SetupActions> & { wasm?: LoadOutcome } = {},
) {
  const lines: string[] = [];
  const asked: string[] = [];
  let installs = 0;
  const actions: SetupActions = {
    load: async (backend) => (backend === 'wasm' ? wasm : nativeOutcomes.shift()!),
    installed: () => true,
    install: async () => {
      installs++;
      return { exitCode: 0, output: '' };
    },
    confirm: async (question) => {
      asked.push(question);
      return true;
    },
    say: (line) => lines.push(line),
    ...rest,
  };
  return { run: () => setUpBackend(actions), text: () => lines.join('\n'), asked, installs: () => installs };
}

describe('slothd lab setup', () => {
  it('asks and installs nothing where the native library loads', async () => {
    const here = machine([LOADS]);
    expect(await here.run()).toBe('native');
    expect(here.text()).toMatch(/^Training will use TensorFlow \(native\)/);
    expect([here.asked.length, here.installs()]).toEqual([0, 0]);
  });

  it('asks, installs, and looks again by loading', async () => {
    const here = machine([fails('Error: no tfjs_binding.node'), LOADS]);
    expect(await here.run()).toBe('native');
    expect([here.asked.length, here.installs()]).toEqual([1, 1]);
    expect(here.text()).toContain('does not load: Error: no tfjs_binding.node');
    expect(here.text()).toMatch(/Training will use TensorFlow \(native\).*$/);
  });

  it.each([
    [false, /Nothing was changed\.\n/],
    [null, /no terminal to ask on\. `slothd lab setup --yes`/],
  ])('changes nothing without a yes (%s), and says the command', async (answer, words) => {
    const here = machine([fails('Error: x')], { confirm: async () => answer });
    expect(await here.run()).toBe('wasm');
    expect(here.installs()).toBe(0);
    expect(here.text()).toMatch(words);
    expect(here.text()).toContain(INSTALL_COMMAND);
    expect(here.text()).toMatch(/Training will use WebAssembly.*$/);
  });

  it('does not take the script at its word: exit code 0 and still no library', async () => {
    const here = machine([fails('Error: a'), fails('Error: b')], {
      install: async () => ({ exitCode: 0, output: 'one\ntwo\ngetaddrinfo ENOTFOUND storage.googleapis.com\n' }),
    });
    expect(await here.run()).toBe('wasm');
    expect(here.text()).toContain('exit code 0, and the library does not load: Error: b');
    expect(here.text()).toContain('  getaddrinfo ENOTFOUND storage.googleapis.com');
    expect(here.text()).toContain('TFJS_NODE_CDN_STORAGE');
  });

  it('says how to get the package where npm left it out', async () => {
    const here = machine([fails('Error: x')], { installed: () => false });
    expect(await here.run()).toBe('wasm');
    expect(here.text()).toContain('npm install --include=optional');
    expect([here.asked.length, here.installs()]).toEqual([0, 0]);
  });

  it('says so where nothing can train', async () => {
    const here = machine([fails('Error: x')], { installed: () => false, wasm: fails('Error: y') });
    expect(await here.run()).toBeNull();
    expect(here.text()).toContain('WebAssembly does not start either: Error: y');
  });

  it('on this machine: WebAssembly loads and computes in a child', async () => {
    // Built code: the child is plain Node.
    const { MACHINE: built } = (await import(BUILT)) as { MACHINE: typeof MACHINE };
    expect(await built.load('wasm')).toEqual(LOADS);
    expect(MACHINE.installed()).toBe(true);
  });
});
