// Small helpers that every part of the page uses.

export const byId = (id) => document.getElementById(id);

/** A new element with a class and text. */
export function element(tag, className = '', text = undefined) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Sets text only where it differs: what did not change is not laid out, nor read out, again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Fills a `dl` from pairs of name and value. */
export function fillList(list, pairs) {
  const wanted = pairs.flatMap(([name, value]) => [element('dt', '', name), element('dd', '', String(value))]);
  const same = wanted.length === list.children.length && wanted.every((one, i) => one.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...wanted);
}

/** Fills a `dl` that runs on like text: each name stays with its value. */
export function fillValues(list, pairs) {
  const wanted = pairs.map(([name, value]) => {
    const pair = element('div');
    pair.append(element('dt', '', name), element('dd', '', String(value)));
    return pair;
  });
  const same = wanted.length === list.children.length && wanted.every((one, i) => one.isEqualNode(list.children[i]));
  if (!same) list.replaceChildren(...wanted);
}

/** Milliseconds as a person reads them. */
export function duration(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}

export const clockTime = (iso) => new Date(iso).toLocaleTimeString();

const colours = new Map();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => colours.clear());

/** A custom property of the style sheet, so that canvases follow light and dark. Kept: a frame asks for it often. */
export function colour(name) {
  let value = colours.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colours.set(name, value);
  }
  return value;
}

/** The canvas's pen, its bitmap as large as it is shown. */
export function fitCanvas(canvas) {
  const scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  const resized = canvas.width !== width || canvas.height !== height;
  if (resized) {
    canvas.width = width;
    canvas.height = height;
  }
  return { pen: canvas.getContext('2d'), width, height, scale, resized };
}

/** Colours of AAMI beat classes; a beat that no model looked at is `other`. */
export const classColour = (beatClass) =>
  colour({ N: 'beat-n', S: 'beat-s', V: 'beat-v', F: 'beat-v' }[beatClass] ?? 'beat-other');
