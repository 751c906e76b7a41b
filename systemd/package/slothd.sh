#!/bin/sh
# slothd with the Node runtime that came with it, whatever Node the machine has.
# One heap for all threads instead of glibc's one each (mallopt(3)): 7 MB less memory.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
# A reload must not end a daemon that is still starting; Node takes the signal over once it can.
if [ "$1" = run ]; then trap '' HUP; fi
exec /usr/lib/slothd/runtime/node /usr/lib/slothd/dist/main.js "$@"
