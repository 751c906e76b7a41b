#!/usr/bin/env node
import module from 'node:module';

// Node 22 and newer keep what they compile, so that the next start takes less CPU; before anything else is read. Where the
// folder cannot be written they just go on. NODE_COMPILE_CACHE says which folder (the service has one).
(module as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { runProgram } = await import('./cli/program.js');
await runProgram(process.argv.slice(2));
