/** Plots as SVG text: axes, lines, bars and a matrix. Colours work on light and dark pages. */

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Dashes, for what is only a guide. */
  readonly guide?: boolean;
}

export interface PlotOptions {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly xRange?: readonly [number, number];
  readonly yRange?: readonly [number, number];
  /** Marks at the points as well. */
  readonly marks?: boolean;
  /** Where the legend stands on the right: at the top unless told. */
  readonly legend?: 'top' | 'bottom';
}

const WIDTH = 420;
const HEIGHT = 300;
const LEFT = 52;
const BOTTOM = 42;
const TOP = 28;
const RIGHT = 12;
/** Okabe & Ito's palette: told apart by nearly everyone. */
const COLOURS = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#8a8a8a'];

export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
}

/** Lines over common axes, with a legend. */
export function linePlot(lines: readonly Line[], options: PlotOptions): string {
  const drawn = lines.filter(({ points }) => points.length > 0);
  const all = drawn.flatMap(({ points }) => [...points]);
  const xRange = options.xRange ?? rangeOf(all.map(([x]) => x));
  const yRange = options.yRange ?? rangeOf(all.map(([, y]) => y));
  const px = (x: number) => LEFT + ((x - xRange[0]) / (xRange[1] - xRange[0] || 1)) * (WIDTH - LEFT - RIGHT);
  const py = (y: number) =>
    HEIGHT - BOTTOM - ((y - yRange[0]) / (yRange[1] - yRange[0] || 1)) * (HEIGHT - TOP - BOTTOM);
  let colour = 0;
  const paths = drawn.map(({ points, guide }) => {
    const stroke = guide ? '#8a8a8a' : COLOURS[colour++ % COLOURS.length]!;
    const path = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('');
    const marks =
      options.marks && !guide
        ? points.map(([x, y]) => `<circle cx="${px(x).toFixed(1)}" cy="${py(y).toFixed(1)}" r="2.5" fill="${stroke}"/>`)
        : [];
    return `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="1.6"${guide ? ' stroke-dasharray="4 3"' : ''}/>${marks.join('')}`;
  });
  colour = 0;
  const named = drawn.filter(({ guide }) => !guide);
  const legend = named.map(({ name }, i) => {
    const y = options.legend === 'bottom' ? HEIGHT - BOTTOM - 8 - (named.length - 1 - i) * 15 : TOP + 8 + i * 15;
    const stroke = COLOURS[colour++ % COLOURS.length]!;
    return `<rect x="${WIDTH - 150}" y="${y - 8}" width="12" height="3" fill="${stroke}"/><text x="${WIDTH - 133}" y="${y - 3}" class="s">${escapeText(name)}</text>`;
  });
  const xTicks = ticks(xRange).map(
    (x) =>
      `<text x="${px(x).toFixed(1)}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle" class="s">${short(x)}</text>`,
  );
  const yTicks = ticks(yRange).map(
    (y) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y).toFixed(1)}" y2="${py(y).toFixed(1)}" class="g"/><text x="${LEFT - 6}" y="${(py(y) + 4).toFixed(1)}" text-anchor="end" class="s">${short(y)}</text>`,
  );
  return svg(options.title, [
    ...[...yTicks, ...xTicks, ...paths, ...(named.length > 1 ? legend : [])],
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle" class="s">${escapeText(options.x)}</text>`,
    `<text transform="translate(13 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle" class="s">${escapeText(options.y)}</text>`,
  ]);
}

/** Bars with their values, one below the other. */
export function barPlot(
  title: string,
  bars: readonly { readonly name: string; readonly value: number }[],
  unit: string,
): string {
  const most = Math.max(...bars.map(({ value }) => value), 1e-9);
  const step = Math.min(30, (HEIGHT - TOP - 14) / Math.max(1, bars.length));
  const left = 110;
  const rows = bars.map(({ name, value }, i) => {
    const y = TOP + 8 + i * step;
    const width = Math.max(1, (value / most) * (WIDTH - left - 90));
    return `<text x="${left - 6}" y="${y + step / 2}" text-anchor="end" class="s">${escapeText(name)}</text><rect x="${left}" y="${y}" width="${width.toFixed(1)}" height="${(step * 0.7).toFixed(1)}" fill="${COLOURS[0]}"/><text x="${(left + width + 6).toFixed(1)}" y="${y + step / 2}" class="s">${short(value)} ${escapeText(unit)}</text>`;
  });
  return svg(title, rows);
}

/** Rows truth, columns said; shaded by the share of the row. */
export function matrixPlot(
  title: string,
  rowNames: readonly string[],
  columnNames: readonly string[],
  matrix: readonly (readonly number[])[],
): string {
  const left = 70;
  const top = TOP + 30;
  const width = Math.min(90, (WIDTH - left - RIGHT) / columnNames.length);
  const height = Math.min(46, (HEIGHT - top - 10) / rowNames.length);
  const cells = matrix.flatMap((row, r) => {
    const sum = row.reduce((total, n) => total + n, 0);
    return row.map((n, c) => {
      const share = sum > 0 ? n / sum : 0;
      const x = left + c * width;
      const y = top + r * height;
      return `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${COLOURS[0]}" fill-opacity="${(0.06 + 0.74 * share).toFixed(2)}" class="c"/><text x="${x + width / 2}" y="${y + height / 2 + 1}" text-anchor="middle" class="s">${n}</text><text x="${x + width / 2}" y="${y + height / 2 + 14}" text-anchor="middle" class="t">${(share * 100).toFixed(1)} %</text>`;
    });
  });
  const rowsText = rowNames.map(
    (name, r) =>
      `<text x="${left - 8}" y="${top + r * height + height / 2 + 4}" text-anchor="end" class="s">${escapeText(name)}</text>`,
  );
  const columnsText = columnNames.map(
    (name, c) =>
      `<text x="${left + c * width + width / 2}" y="${top - 6}" text-anchor="middle" class="s">${escapeText(name)}</text>`,
  );
  return svg(title, [
    ...[...cells, ...rowsText, ...columnsText],
    `<text x="8" y="${top - 6}" class="t">truth / said</text>`,
  ]);
}

function svg(title: string, parts: readonly string[]): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeText(title)}"><text x="${LEFT}" y="16" class="h">${escapeText(title)}</text>${parts.join('')}</svg>`;
}

function rangeOf(values: readonly number[]): [number, number] {
  if (values.length === 0) return [0, 1];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}

/** Four to eight round numbers within a range. */
function ticks([low, high]: readonly [number, number]): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
  const found: number[] = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) found.push(k * step);
  return found;
}

function short(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
