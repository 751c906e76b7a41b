// Alerts: open ones with their evidence and buttons, past ones below.
import { byId, clockTime, colour, element, fillValues, fitCanvas, setText } from './elements.js';
import { explanation } from './kinds.js';

const rows = new Map();
const PAST_SHOWN = 100;
const MINUTES = 30;
const URGENCY = { high: 0, medium: 1, low: 2 };
/** Evidence of so many is drawn unasked; with more of them open a page would be pictures alone. */
const DRAWN_UNASKED = 4;

const words = (text) => text.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`).replace(/-/g, ' ');

export function showAlert(alert) {
  let row = rows.get(alert.id);
  if (!row) {
    row = createRow(alert);
    rows.set(alert.id, row);
    if (!alert.endedAt) say(`${alert.priority} priority alert: ${words(alert.kind)} at ${alert.sensor}`);
  }
  fillRow(row, alert);
  place(row, alert);
}

function createRow(alert) {
  const root = element('li', `alert ${alert.priority}`);
  root.dataset.kind = alert.kind;
  const head = element('div', 'head');
  const title = element('h3', '', words(alert.kind));
  const badge = element('span', `badge ${alert.priority}`, alert.priority);
  const where = element('span', 'where', alert.sensor);
  head.append(title, badge, where);
  const meaning = element('p', 'meaning', explanation(alert.kind));
  const times = element('p', 'times');
  const values = element('dl', 'values');
  const buttons = element('div', 'buttons');
  const acknowledged = element('p', 'acknowledged');
  const ack = button(
    'Acknowledge',
    `Acknowledge ${words(alert.kind)} of ${alert.sensor}: no reminders for ${MINUTES} min`,
  );
  const snooze = button(
    'Snooze',
    `Snooze ${words(alert.kind)} of ${alert.sensor} for ${MINUTES} min: it ends and is not raised`,
  );
  ack.addEventListener('click', () => command('ack', alert, ack));
  snooze.addEventListener('click', () => command('snooze', alert, snooze));
  buttons.append(ack, snooze, acknowledged);
  const evidence = element('details', 'evidence');
  evidence.append(element('summary', '', 'What led to it'));
  const picture = element('canvas');
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', `evidence of ${words(alert.kind)}`);
  const text = element('p', 'quiet');
  evidence.append(picture, text);
  root.append(head, meaning, times, values, buttons, evidence);
  const row = {
    root,
    alert,
    badge,
    times,
    values,
    buttons,
    ack,
    acknowledged,
    evidence,
    picture,
    text,
    id: alert.id,
    shown: null,
  };
  evidence.addEventListener('toggle', () => evidence.open && showEvidence(row));
  return row;
}

function button(text, label) {
  const made = element('button', '', text);
  made.type = 'button';
  made.setAttribute('aria-label', label);
  return made;
}

function fillRow(row, alert) {
  // An alert that has lasted may rise.
  row.badge.className = `badge ${alert.priority}`;
  setText(row.badge, alert.priority);
  for (const priority of Object.keys(URGENCY)) row.root.classList.toggle(priority, priority === alert.priority);
  const { onsetAt, raisedAt, endedAt, acknowledgedUntil } = alert;
  const raisedAfter = (Date.parse(raisedAt) - Date.parse(onsetAt)) / 1000;
  const ended = endedAt ? ` · ended ${clockTime(endedAt)}` : '';
  setText(
    row.times,
    `onset ${clockTime(onsetAt)} · raised ${clockTime(raisedAt)}, ${raisedAfter.toFixed(1)} s later${ended}`,
  );
  const model = alert.model ? [['decided by', `${alert.model.name} (${alert.model.precision})`]] : [];
  row.alert = alert;
  fillValues(row.values, [
    ...Object.entries(alert.values)
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [words(name), shown(value)]),
    ...model,
  ]);
  row.buttons.hidden = Boolean(endedAt);
  row.ack.hidden = Boolean(acknowledgedUntil);
  setText(row.acknowledged, acknowledgedUntil ? `acknowledged until ${clockTime(acknowledgedUntil)}` : '');
  row.root.classList.toggle('ended', Boolean(endedAt));
}

const shown = (value) => (typeof value === 'number' ? String(Math.round(value * 100) / 100) : String(value));

function place(row, alert) {
  const active = byId('active');
  const past = byId('past');
  if (alert.endedAt) {
    if (row.root.parentElement !== past) past.prepend(row.root);
  } else {
    sortIn(active, row);
    // The waveform is not asked for a hundred times.
    const few = active.querySelectorAll('.evidence[open]').length < DRAWN_UNASKED;
    if (!row.shown && few && alert.category === 'health') row.evidence.open = true;
  }
  while (past.children.length > PAST_SHOWN) past.lastChild.remove();
  setText(byId('past-count'), `(${past.children.length})`);
  byId('quiet').hidden = active.children.length > 0;
}

/** The gravest first, the newest of them first. Moved only where it must be: what has the focus would lose it. */
function sortIn(list, row) {
  const order = [...rows.values()].filter((one) => !one.alert.endedAt).sort(byUrgency);
  const next = order[order.indexOf(row) + 1]?.root ?? null;
  if (row.root.parentElement !== list || row.root.nextElementSibling !== next)
    list.insertBefore(row.root, next?.parentElement === list ? next : null);
}

function byUrgency({ alert: a }, { alert: b }) {
  return (
    (URGENCY[a.priority] ?? 1) - (URGENCY[b.priority] ?? 1) || Date.parse(b.raisedAt) - Date.parse(a.raisedAt) || 0
  );
}

async function command(verb, alert, pressed) {
  pressed.disabled = true;
  try {
    const response = await fetch(`/alerts/${verb}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ sensor: alert.sensor, kind: alert.kind, minutes: MINUTES }),
    });
    const text = await response.text();
    const answer = response.headers.get('content-type')?.startsWith('application/json')
      ? JSON.parse(text)
      : { error: text };
    const done = answer.ok && answer.result?.accepted !== false;
    say(
      done
        ? `${words(alert.kind)}: ${verb === 'ack' ? 'acknowledged' : 'snoozed'}`
        : `not done: ${answer.error ?? answer.result?.reason}`,
    );
  } catch {
    say('not done: slothd does not answer');
  } finally {
    pressed.disabled = false;
  }
}

/** Read out, and shown for a moment. */
function say(text) {
  const said = byId('said');
  said.textContent = text;
  said.classList.add('shown');
  clearTimeout(say.timer);
  say.timer = setTimeout(() => said.classList.remove('shown'), 5000);
}

async function showEvidence(row) {
  if (row.shown) return;
  row.shown = 'asked';
  try {
    const { evidence } = await (await fetch(`/alerts/${row.id}`)).json();
    row.shown = evidence;
    const { signal, rrMs } = evidence;
    row.picture.hidden = !signal && !rrMs?.length;
    setText(row.text, describe(evidence));
    drawEvidence(row);
    new ResizeObserver(() => drawEvidence(row)).observe(row.picture);
  } catch {
    row.shown = null;
    row.picture.hidden = true;
    setText(row.text, 'could not be loaded');
  }
}

function describe({ signal, rrMs }) {
  const parts = [];
  if (signal) parts.push(`${(signal.samples.length / signal.rateHz).toFixed(1)} s of signal, ${signal.unit}`);
  if (rrMs?.length)
    parts.push(`${rrMs.length} RR intervals, ${Math.min(...rrMs).toFixed(0)} to ${Math.max(...rrMs).toFixed(0)} ms`);
  return parts.length > 0 ? parts.join(' · ') : 'no signal was kept: nothing came that could be drawn';
}

/** The waveform where there is one, else the intervals as bars. */
function drawEvidence(row) {
  const { signal, rrMs } = row.shown;
  const { pen, width, height, scale } = fitCanvas(row.picture);
  pen.clearRect(0, 0, width, height);
  const values = signal?.samples ?? rrMs ?? [];
  if (values.length === 0) return;
  const low = signal ? Math.min(...values) : 0;
  const span = Math.max(...values) - low || 1;
  const y = (value) => height - 4 * scale - ((value - low) / span) * (height - 8 * scale);
  pen.strokeStyle = colour('trace');
  pen.fillStyle = colour('trace');
  pen.lineWidth = 1.3 * scale;
  if (!signal) {
    const each = width / values.length;
    for (const [i, value] of values.entries())
      pen.fillRect(i * each, y(value), Math.max(1, each - scale), height - y(value));
    return;
  }
  pen.beginPath();
  for (const [i, value] of values.entries()) pen.lineTo((i / (values.length - 1)) * width, y(value));
  pen.stroke();
}

/** Light became dark: pictures are painted anew. */
export function repaintAlerts() {
  for (const row of rows.values()) if (row.shown && row.shown !== 'asked') drawEvidence(row);
}
