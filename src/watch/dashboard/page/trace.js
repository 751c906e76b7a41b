// The live trace: drawn like a bedside monitor, a bar sweeps from left to right and only what is new is painted. So a
// frame costs the same for one sensor and for eight.
import { classColour, colour, fitCanvas } from './elements.js';

const SECONDS = 6;
/** Empty space ahead of the sweep. */
const GAP_SECONDS = 0.25;
/** How far the drawing stays behind the data: bundles come every 40 ms, and each frame shall have something to draw. */
const LAG_SECONDS = 0.12;
/** Space for the beats' letters, CSS pixels. */
const TOP = 16;

export class Trace {
  constructor(canvas) {
    this.canvas = canvas;
    /** The last samples; sample n is at n / step modulo the length. */
    this.ring = new Float32Array(0);
    this.rateHz = 0;
    this.step = 1;
    /** One past the newest sample, in samples of the ring. */
    this.end = 0;
    this.start = 0;
    /** Up to where it is drawn, a fraction of a sample included. */
    this.drawn = 0;
    this.beats = [];
    this.low = -1;
    this.high = 1;
    this.dirty = true;
    this.marked = 0;
    this.lost = 0;
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.dirty = true;
    });
  }

  /** A bundle of the waveform; `newest` is the sample number of the last value, one value every `step` samples. */
  push({ rateHz, step, newest, values }) {
    const last = Math.floor(newest / step);
    const size = Math.max(2, Math.ceil(rateHz * SECONDS));
    const first = last - values.length + 1;
    const broken = step !== this.step || Math.abs(size - this.ring.length) > 0.02 * size || first > this.end + size;
    if (broken || first < this.end - 1) {
      this.ring = new Float32Array(size).fill(Number.NaN);
      this.step = step;
      this.start = first;
      this.drawn = first;
      this.end = first;
      this.beats = this.beats.filter((beat) => beat.at >= first);
      this.dirty = true;
    }
    this.rateHz = rateHz;
    // Samples that never came are a hole, not a line.
    for (let at = this.end; at < first; at++) this.ring[at % this.ring.length] = Number.NaN;
    for (let i = 0; i < values.length; i++) this.ring[(first + i) % this.ring.length] = values[i];
    this.end = last + 1;
    this.start = Math.max(this.start, this.end - this.ring.length);
  }

  /** A beat: its class is known up to a second after the beat itself, when the sweep has long gone by. */
  beat({ sample, class: beatClass }) {
    if (sample < 0) return;
    this.beats.push({ at: Math.round(sample / this.step), letter: beatClass ?? '·', beatClass, done: false });
  }

  /** Paints one frame. `seconds`: since the last one. */
  draw(seconds) {
    const { pen, width, height, scale, resized } = fitCanvas(this.canvas);
    const size = this.ring.length;
    if (size === 0 || width === 0) return;
    const target = this.end - LAG_SECONDS * this.rateHz;
    const behind = target - this.drawn;
    // A little faster while behind, so that neither a jump nor a growing delay is seen.
    let to = this.drawn + seconds * this.rateHz * (1 + Math.max(-0.5, Math.min(1, behind / this.rateHz)));
    if (behind > this.rateHz) to = target;
    // Up to the last sample, not past it: the next frame goes on from there.
    to = Math.min(to, this.end - 1);
    const from = Math.max(this.drawn, this.start, to - size * (1 - GAP_SECONDS / SECONDS));
    const wraps = Math.floor(to / size) !== Math.floor(this.drawn / size);
    if (wraps || this.outOfScale(from, to)) this.rescale(to);
    const whole = resized || this.dirty;
    if (whole) {
      pen.clearRect(0, 0, width, height);
      for (const beat of this.beats) beat.done = false;
    }
    const keep = Math.floor(size * (1 - GAP_SECONDS / SECONDS));
    const begin = whole ? Math.max(this.start, to - keep) : from;
    this.dirty = false;
    this.paint(pen, width, height, scale, begin, to, whole);
    this.drawn = Math.max(this.drawn, to);
    this.mark(pen, width, scale, keep);
  }

  paint(pen, width, height, scale, from, to, whole) {
    const size = this.ring.length;
    const x = (at) => ((at % size) / size) * width;
    const top = TOP * scale;
    const y = (value) => top + (1 - (value - this.low) / (this.high - this.low)) * (height - top - 4 * scale);
    if (!whole && to > from) erase(pen, x(from) + scale, x(to + GAP_SECONDS * this.rateHz), width, height);
    pen.strokeStyle = colour('trace');
    pen.lineWidth = 1.5 * scale;
    pen.lineJoin = 'round';
    pen.beginPath();
    let joined = false;
    for (let at = Math.max(this.start, Math.floor(from)); at <= Math.floor(to) && at < this.end; at++) {
      const value = this.ring[at % size];
      if (Number.isNaN(value)) {
        joined = false;
        continue;
      }
      const px = x(at);
      if (joined && at % size !== 0) pen.lineTo(px, y(value));
      else pen.moveTo(px, y(value));
      joined = true;
    }
    pen.stroke();
  }

  /** Letters of beats that the sweep has passed; each is painted once, and once more after a repaint of all. */
  mark(pen, width, scale, keep) {
    const oldest = this.drawn - keep;
    pen.font = `600 ${11 * scale}px system-ui, sans-serif`;
    pen.textAlign = 'center';
    pen.textBaseline = 'top';
    let kept = 0;
    for (const beat of this.beats) {
      if (beat.at > oldest) this.beats[kept++] = beat;
      else if (!beat.counted) this.canvas.dataset.lost = String(++this.lost);
      if (beat.at <= oldest || beat.done || beat.at > this.drawn) continue;
      const x = ((beat.at % this.ring.length) / this.ring.length) * width;
      pen.fillStyle = classColour(beat.beatClass);
      pen.fillText(beat.letter, Math.max(5 * scale, Math.min(width - 5 * scale, x)), 1 * scale);
      beat.done = true;
      if (!beat.counted) {
        beat.counted = true;
        this.marked++;
        this.canvas.dataset.marked = String(this.marked);
      }
    }
    this.beats.length = kept;
  }

  outOfScale(from, to) {
    const margin = (this.high - this.low) * 0.05;
    for (let at = Math.floor(from); at < to && at < this.end; at++) {
      const value = this.ring[at % this.ring.length];
      if (value > this.high + margin || value < this.low - margin) return true;
    }
    return false;
  }

  rescale(to) {
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const value of this.ring) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (!(high > low)) {
      low = Number.isFinite(low) ? low - 1 : -1;
      high = low + 2;
    }
    const pad = (high - low) * 0.05;
    const span = this.high - this.low;
    // Small changes are not worth a jump of the picture.
    const settled = low >= this.low && high <= this.high && high - low > 0.7 * span;
    if (settled && to > 0) return;
    this.low = low - pad;
    this.high = high + pad;
    this.dirty = true;
  }
}

function erase(pen, left, right, width, height) {
  if (right >= left) {
    pen.clearRect(left, 0, right - left, height);
    return;
  }
  pen.clearRect(left, 0, width - left, height);
  pen.clearRect(0, 0, right, height);
}
