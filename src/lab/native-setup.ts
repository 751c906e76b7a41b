/** What loading a backend in a process of its own came to. */
export type LoadOutcome = { readonly loads: true } | { readonly loads: false; readonly reason: string };

/** All that `slothd lab setup` does to the machine, so that its words can be tested without one. */
export interface SetupActions {
  /** Loads a backend in a child process and computes with it there: an addon that crashes takes only the child along. */
  load(backend: 'native' | 'wasm'): Promise<LoadOutcome>;
  /** Whether npm has put the JavaScript of @tensorflow/tfjs-node on this machine. */
  installed(): boolean;
  /** Runs the package's own install script, which downloads. Its end alone proves nothing: it may fail with exit code 0. */
  install(): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Asks before downloading; null where there is nobody to ask. */
  confirm(question: string): Promise<boolean | null>;
  say(line: string): void;
}

export const INSTALL_COMMAND = 'npm rebuild @tensorflow/tfjs-node --ignore-scripts=false';

const QUESTION = `Run the install script of @tensorflow/tfjs-node now? It downloads TensorFlow's library (some hundred MB). [y/N] `;

/** Lines of a failed script that are shown: the last ones say what went wrong. */
const SHOWN_LINES = 6;
/** What npm and Node say of every failure alike, and stack frames. */
const BOILERPLATE = /^npm error|^Node\.js v|^\s+at /;

/**
 * Makes TensorFlow's native library work for the lab, if it does not yet and the person agrees, and says which backend
 * training will use and why.
 * @returns the backend that training will use, null if there is none
 */
export async function setUpBackend(actions: SetupActions): Promise<'native' | 'wasm' | null> {
  const { say } = actions;
  const before = await actions.load('native');
  if (before.loads) return native(say);
  say(`The native library (@tensorflow/tfjs-node) does not load: ${before.reason}`);
  if (!actions.installed()) {
    say('The package is not here. Get it first, in the slothd folder: npm install --include=optional');
    return fallBack(actions);
  }
  const agreed = await actions.confirm(QUESTION);
  if (!agreed) {
    say(
      agreed === null
        ? 'Nothing was changed: no terminal to ask on. `slothd lab setup --yes` agrees.'
        : 'Nothing was changed.',
    );
    say(`By hand, in the slothd folder: ${INSTALL_COMMAND}`);
    return fallBack(actions);
  }
  say('Running its install script. That takes a minute or more ...');
  const { exitCode, output } = await actions.install();
  const after = await actions.load('native');
  if (after.loads) return native(say);
  const lines = output.split('\n').filter((line) => line.trim() !== '' && !BOILERPLATE.test(line));
  say(`The install script ended with exit code ${exitCode}, and the library does not load: ${after.reason}`);
  for (const line of lines.slice(-SHOWN_LINES)) say(`  ${line}`);
  say(
    'It needs a network that reaches storage.googleapis.com, and a compiler and Python where no addon is built for this machine.',
  );
  say("Without that network, put a mirror's address in TFJS_NODE_CDN_STORAGE and say `slothd lab setup` again.");
  return fallBack(actions);
}

function native(say: SetupActions['say']): 'native' {
  say('Training will use TensorFlow (native): its library loads and computes here, and it is the fastest.');
  return 'native';
}

async function fallBack({ load, say }: SetupActions): Promise<'wasm' | null> {
  const outcome = await load('wasm');
  if (!outcome.loads) {
    say(`WebAssembly does not start either: ${outcome.reason}`);
    say('Training cannot run here; the plain JavaScript backend is refused, it is hundreds of times slower.');
    return null;
  }
  say('Training will use WebAssembly: about half as fast, the same code and, by seed, nearly the same result.');
  return 'wasm';
}
