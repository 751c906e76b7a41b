// Small charts as SVG files for docs/images: no library, readable on white and on dark pages.
const FONT = 'font-family="system-ui, sans-serif" font-size="13"';
const COLOURS = ['#2f7d4f', '#b3541e', '#3566a8', '#8a8a8a', '#7a4fa0', '#a88b2f'];

/**
 * Groups of horizontal bars on a logarithmic scale.
 * @param {{ title: string, unit: string, groups: { name: string, bars: { name: string, value: number }[] }[] }} chart
 */
export function logBars({ title, unit, groups }) {
  const values = groups.flatMap(({ bars }) => bars.map(({ value }) => value)).filter((value) => value > 0);
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const [left, right, width] = [190, 70, 820];
  const x = (value) =>
    left + ((Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))) * (width - left - right);
  const names = [...new Set(groups.flatMap(({ bars }) => bars.map(({ name }) => name)))];
  const parts = [];
  let y = 48;
  for (const group of groups) {
    parts.push(`<text x="8" y="${y + 13}" ${FONT} font-weight="600">${xml(group.name)}</text>`);
    for (const { name, value } of group.bars) {
      const colour = COLOURS[names.indexOf(name) % COLOURS.length];
      if (value > 0)
        parts.push(`<rect x="${left}" y="${y}" width="${(x(value) - left).toFixed(1)}" height="15" fill="${colour}"/>`);
      parts.push(`<text x="${left - 6}" y="${y + 12}" ${FONT} text-anchor="end">${xml(name)}</text>`);
      parts.push(`<text x="${(value > 0 ? x(value) : left) + 5}" y="${y + 12}" ${FONT}>${value}</text>`);
      y += 19;
    }
    y += 12;
  }
  const ticks = [];
  for (let tick = low; tick <= high; tick *= 10)
    ticks.push(
      `<line x1="${x(tick)}" x2="${x(tick)}" y1="40" y2="${y - 8}" stroke="#bbb" stroke-dasharray="2 4"/>`,
      `<text x="${x(tick)}" y="${y + 8}" ${FONT} text-anchor="middle">${tick}</text>`,
    );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 16}" role="img" aria-label="${xml(title)}">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="22" ${FONT} font-weight="600">${xml(title)} (${xml(unit)}, logarithmic)</text>
${[...ticks, ...parts].join('\n')}
</svg>
`;
}

function xml(text) {
  return String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;');
}
