// Intervals between beats, twice: over the beats (tachogram) and each against the one before it (Poincare).
import { classColour, colour, fitCanvas } from './elements.js';

const KEPT = 300;
/** Shown in any case, so that a steady heart looks steady; wider where the intervals are. */
const USUAL_MS = [400, 1400];
/** What is outside of this is no interval of a heart, but of a gap. */
const POSSIBLE_MS = [150, 3000];

export class Intervals {
  constructor(tachogram, poincare) {
    this.tachogram = tachogram;
    this.poincare = poincare;
    this.beats = [];
    this.stale = true;
  }

  add({ rrMs, class: beatClass }) {
    const possible = rrMs !== null && rrMs >= POSSIBLE_MS[0] && rrMs <= POSSIBLE_MS[1];
    this.beats.push({ rrMs: possible ? rrMs : null, beatClass });
    if (this.beats.length > KEPT) this.beats.shift();
    this.stale = true;
  }

  draw() {
    if (!this.stale) return;
    this.stale = false;
    let [low, high] = USUAL_MS;
    for (const { rrMs } of this.beats) {
      if (rrMs === null) continue;
      low = Math.min(low, rrMs - 50);
      high = Math.max(high, rrMs + 50);
    }
    this.drawTachogram(low, high);
    this.drawPoincare(low, high);
  }

  drawTachogram(low, high) {
    const { pen, width, height, scale } = fitCanvas(this.tachogram);
    pen.clearRect(0, 0, width, height);
    const left = 30 * scale;
    const y = (ms) => height - 4 * scale - ((ms - low) / (high - low)) * (height - 12 * scale);
    grid(pen, scale, low, high, (ms) => {
      line(pen, left, y(ms), width, y(ms));
      pen.textAlign = 'right';
      pen.fillText(label(ms), left - 4 * scale, y(ms));
    });
    const dx = (width - left - 6 * scale) / KEPT;
    const first = KEPT - this.beats.length;
    for (const [i, { rrMs, beatClass }] of this.beats.entries()) {
      if (rrMs === null) continue;
      dot(pen, left + (first + i) * dx, y(rrMs), 1.6 * scale, classColour(beatClass));
    }
  }

  drawPoincare(low, high) {
    const { pen, width, height, scale } = fitCanvas(this.poincare);
    pen.clearRect(0, 0, width, height);
    const left = 30 * scale;
    const side = Math.min(width - left, height - 14 * scale) - 2 * scale;
    const at = (ms) => ((ms - low) / (high - low)) * side;
    const x = (ms) => left + at(ms);
    const y = (ms) => side + 2 * scale - at(ms);
    grid(pen, scale, low, high, (ms) => {
      line(pen, left, y(ms), left + side, y(ms));
      line(pen, x(ms), y(low), x(ms), y(high));
      pen.textAlign = 'right';
      pen.fillText(label(ms), left - 4 * scale, y(ms));
      pen.textAlign = 'center';
      pen.fillText(label(ms), x(ms), side + 9 * scale);
    });
    line(pen, x(low), y(low), x(high), y(high));
    let before = null;
    for (const { rrMs, beatClass } of this.beats) {
      if (before !== null && rrMs !== null) dot(pen, x(before), y(rrMs), 1.6 * scale, classColour(beatClass));
      before = rrMs;
    }
  }
}

const label = (ms) => (ms / 1000).toFixed(1);

function grid(pen, scale, low, high, at) {
  pen.strokeStyle = colour('grid');
  pen.fillStyle = colour('dim');
  pen.lineWidth = scale;
  pen.font = `${10 * scale}px system-ui, sans-serif`;
  pen.textBaseline = 'middle';
  const step = high - low > 1600 ? 1000 : 500;
  for (let ms = Math.ceil(low / step) * step; ms <= high; ms += step) at(ms);
}

function line(pen, x1, y1, x2, y2) {
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
}

function dot(pen, x, y, radius, fill) {
  pen.fillStyle = fill;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 7);
  pen.fill();
}
