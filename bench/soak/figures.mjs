// Memory and descriptors over time. Kills cut the soak into lives; the slope is that within lives, pooled, beyond each one's start.
import { readdirSync, readFileSync } from 'node:fs';
import { anonymousBytes, childrenOf, slope } from '../lib/processes.mjs';

/** Hours of a life that do not count: code is compiled, caches and the flight recorder's minutes fill. */
const WARM_UP_HOURS = 10 / 60;
const MIB = 2 ** 20;

/** The model host among a daemon's children; null where there is none. */
export function hostOf(pid) {
  const isHost = (child) => {
    try {
      return readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('inference/host/main.js');
    } catch {
      return false;
    }
  };
  return childrenOf(pid).find(isHost) ?? null;
}

export class Figures {
  #points = { daemon: [], host: [] };

  note(daemonPid, atHours) {
    for (const [name, pid] of [
      ['daemon', daemonPid],
      ['host', hostOf(daemonPid)],
    ]) {
      try {
        if (pid !== null)
          this.#points[name].push({
            pid,
            atHours,
            // Not PSS: it grows when another Node program ends that shared the same binary.
            mib: anonymousBytes(pid) / MIB,
            descriptors: readdirSync(`/proc/${pid}/fd`).length,
          });
      } catch {
        // It ended between two looks.
      }
    }
  }

  summary() {
    return Object.fromEntries(Object.entries(this.#points).map(([name, points]) => [name, summary(points)]));
  }
}

function summary(points) {
  const lives = groupByPid(points);
  const pooled = [];
  for (const life of lives.values()) {
    const warm = life.filter(({ atHours }) => atHours - life[0].atHours > WARM_UP_HOURS);
    const mean = (of) => warm.reduce((sum, point) => sum + of(point), 0) / warm.length;
    const [hours, mib, descriptors] = ['atHours', 'mib', 'descriptors'].map((key) => mean((point) => point[key]));
    for (const point of warm) pooled.push([point.atHours - hours, point.mib - mib, point.descriptors - descriptors]);
  }
  const last = points.at(-1);
  return {
    lives: lives.size,
    warmSamples: pooled.length,
    lastMib: round(last?.mib),
    mostMib: round(points.length > 0 ? Math.max(...points.map(({ mib }) => mib)) : undefined),
    lastDescriptors: last?.descriptors ?? null,
    // Of the lives that outlast their start; null where none did.
    mibPerHour: pooled.length > 1 ? round(slope(pooled.map(([x, y]) => [x, y]))) : null,
    descriptorsPerHour: pooled.length > 1 ? round(slope(pooled.map(([x, , y]) => [x, y]))) : null,
  };
}

/** Node 20 has no Map.groupBy. */
function groupByPid(points) {
  const lives = new Map();
  for (const point of points) lives.set(point.pid, [...(lives.get(point.pid) ?? []), point]);
  return lives;
}

function round(value) {
  return value === undefined ? null : Math.round(value * 10) / 10;
}
