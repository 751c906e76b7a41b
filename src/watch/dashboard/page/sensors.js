// One card per sensor: heart rate, rhythm, quality, contact, live trace, interval plots.
import { byId, element, fillList, setText } from './elements.js';
import { Intervals } from './intervals.js';
import { Trace } from './trace.js';

const cards = new Map();
const RHYTHM = { regular: 'regular', afib: 'irregular: atrial fibrillation', unknown: 'not yet known' };

function canvas(className, label) {
  const made = element('canvas', className);
  made.setAttribute('role', 'img');
  made.setAttribute('aria-label', label);
  return made;
}

function figure(picture, caption) {
  const made = element('figure');
  made.append(picture, element('figcaption', '', caption));
  return made;
}

/** The card of a sensor, made where there is none yet. `waveform`: ecg, ppg, null for none, undefined where not told. */
export function sensorCard(name, waveform = undefined) {
  let card = cards.get(name);
  if (card) return card;
  const root = element('article', 'sensor');
  root.dataset.sensor = name;
  const title = element('h3', '', name);
  const state = element('span', 'state');
  title.append(state);
  const figures = element('div', 'figures');
  const bpm = element('p', 'bpm');
  const value = element('span', '', '--');
  bpm.append(value, element('small', '', ' bpm'));
  const facts = element('dl', 'facts');
  figures.append(bpm, facts);
  const what = waveform === 'ppg' ? 'pulse wave' : 'ECG';
  const traceCanvas = canvas('trace', `live ${what} of ${name}, beats marked by class`);
  const tachogram = canvas('tachogram', `intervals between the last beats of ${name}`);
  const poincare = canvas('poincare', `each interval of ${name} against the one before it`);
  const plots = element('div', 'plots');
  plots.append(figure(tachogram, 'RR intervals, s'), figure(poincare, 'each RR against the last, s'));
  root.append(title, figures);
  if (waveform !== null) root.append(traceCanvas);
  root.append(plots);
  byId('sensors').append(root);
  card = {
    state,
    value,
    facts,
    trace: waveform === null ? null : new Trace(traceCanvas),
    intervals: new Intervals(tachogram, poincare),
  };
  new ResizeObserver(() => {
    card.intervals.stale = true;
  }).observe(root);
  cards.set(name, card);
  return card;
}

export function showVitals(name, vitals) {
  const card = sensorCard(name);
  setText(card.value, vitals.hrBpm ? String(Math.round(vitals.hrBpm)) : '--');
  const quality = vitals.online ? vitals.quality.state : 'offline';
  setText(card.state, quality === 'none' ? 'waiting for a signal' : quality.replace('-', ' '));
  card.state.className = `state ${quality}`;
  const reasons = vitals.quality.reasons.join(', ');
  const pairs = [
    ['rhythm', RHYTHM[vitals.rhythm] ?? vitals.rhythm],
    ['signal', reasons ? `${vitals.quality.state}: ${reasons}` : vitals.quality.state],
    ['contact', vitals.contact === null ? 'unknown' : vitals.contact ? 'yes' : 'no'],
  ];
  if (typeof vitals.spo2Percent === 'number') pairs.push(['SpO2', `${vitals.spo2Percent} %`]);
  if (typeof vitals.batteryPercent === 'number') pairs.push(['battery', `${vitals.batteryPercent} %`]);
  fillList(card.facts, pairs);
}

export function showBeat(name, beat) {
  const card = sensorCard(name);
  card.trace?.beat(beat);
  card.intervals.add(beat);
}

export function showSamples(name, bundle) {
  sensorCard(name).trace?.push(bundle);
}

/** Draws all sensors; `seconds`: since the last frame. */
export function drawSensors(seconds) {
  for (const { trace, intervals } of cards.values()) {
    trace?.draw(seconds);
    intervals.draw();
  }
}

/** Light became dark or the window another size: everything is painted anew. */
export function repaintSensors() {
  for (const { trace, intervals } of cards.values()) {
    if (trace) trace.dirty = true;
    intervals.stale = true;
  }
}
