// The rows of the footprint, for the command that measures it and for the page.

/** @param columns what was measured, one stretch each @returns a name and its figures per row */
export function footprintRows(columns) {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  const row = (name, of) => [name, ...columns.map(of)];
  return [
    row('PSS daemon, MiB', ({ daemonPss }) => mib(daemonPss)),
    row('PSS model host, MiB', ({ hostPss }) => mib(hostPss)),
    row('PSS together, MiB', ({ daemonPss, hostPss }) => mib(daemonPss + hostPss)),
    row('CPU of both, % of a core', ({ cpuShare }) => (cpuShare * 100).toFixed(1)),
    row('start to running, s', ({ runningMs }) => (runningMs / 1000).toFixed(2)),
    row('start to ready (model too), s', ({ readyMs }) => (readyMs / 1000).toFixed(2)),
  ];
}

/** Packages and their MB. */
export const sizeRows = (sizes) =>
  Object.entries(sizes).map(([name, bytes]) => [name, bytes === null ? 'not built' : (bytes / 1e6).toFixed(1)]);
