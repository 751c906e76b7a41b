#!/bin/sh
# slothd with the Node runtime that came with it, whatever Node the machine has.
exec /usr/lib/slothd/runtime/node /usr/lib/slothd/dist/main.js "$@"
