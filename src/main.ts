#!/usr/bin/env node
import module from 'node:module';

// Node 22 and newer keep what they compile, so that the next start takes less CPU; before anything else is read. Where the
// folder cannot be written they just go on. NODE_COMPILE_CACHE says which folder (the service has one).
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
// A reload asked for in the first moments must not end the daemon, which is what the signal does by itself. Its config is yet
// to be read, so nothing is missed.
if (process.argv[2] === 'run') process.on('SIGHUP', () => {});
// An older Node would fail somewhere in the middle, with a stack of modules. The doctor tries, for it says so, too.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if ((major < 20 || (major === 20 && minor < 19)) && process.argv[2] !== 'doctor') {
  process.stderr.write(
    `slothd: Node 20.19 or newer is needed, this is ${process.versions.node}: install a newer one, or the Debian package, which brings its own\n`,
  );
  process.exit(1);
}
const { runProgram } = await import('./cli/program.js');
await runProgram(process.argv.slice(2));
