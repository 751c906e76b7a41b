// The dashboard: starts from /status, then follows /events. No build step; what you read is what runs.
const byId = (id) => document.getElementById(id);
const TRACE_SECONDS = 6;
const sensors = new Map();
const alerts = new Map();

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function sensorCard(name) {
  let card = sensors.get(name);
  if (card) return card;
  const root = element('article', 'sensor');
  const title = element('h3', '', name);
  const state = element('span', 'quiet', '');
  title.append(state);
  const bpm = element('p', 'bpm', '--');
  const canvas = element('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', `live trace of ${name}`);
  const facts = element('p', 'facts', '');
  root.append(title, bpm, canvas, facts);
  byId('sensors').append(root);
  card = { root, state, bpm, canvas, facts, trace: [], rateHz: 0, beats: [], newest: 0 };
  sensors.set(name, card);
  return card;
}

function showVitals(name, vitals) {
  const card = sensorCard(name);
  card.bpm.textContent = vitals.hrBpm ? Math.round(vitals.hrBpm) : '--';
  card.bpm.append(element('small', '', ' bpm'));
  card.state.textContent = vitals.online ? vitals.quality.state : 'offline';
  const reasons = vitals.quality.reasons.length ? ` (${vitals.quality.reasons.join(', ')})` : '';
  card.facts.textContent = `rhythm ${vitals.rhythm ?? 'unknown'} · signal ${vitals.quality.state}${reasons}`;
}

function showAlert(alert) {
  const list = byId('alerts');
  let row = alerts.get(alert.id);
  if (!row) {
    if (alerts.size === 0) list.replaceChildren();
    row = element('li', alert.priority);
    alerts.set(alert.id, row);
    list.prepend(row);
    while (list.children.length > 50) list.lastChild.remove();
  }
  const since = (Date.parse(alert.raisedAt) - Date.parse(alert.onsetAt)) / 1000;
  const end = alert.endedAt ? `, ended ${new Date(alert.endedAt).toLocaleTimeString()}` : '';
  row.classList.toggle('ended', Boolean(alert.endedAt));
  row.textContent = `${alert.kind} · ${alert.sensor} · since ${new Date(alert.onsetAt).toLocaleTimeString()}, raised after ${since.toFixed(1)} s${end}`;
}

function showLatency(stages) {
  const rows = Object.entries(stages).map(([stage, f]) => {
    const row = element('tr');
    row.append(element('td', '', stage), element('td', '', String(f.count)));
    for (const key of ['p50Ms', 'p99Ms', 'p999Ms', 'maxMs']) row.append(element('td', '', `${f[key].toFixed(2)} ms`));
    return row;
  });
  byId('latency').replaceChildren(...rows);
}

function showHealth(health) {
  const light = byId('light');
  light.className = health.ready ? 'good' : 'bad';
  light.textContent = health.ready ? 'ready' : health.reasons.join('; ');
  showLatency(health.latency ?? {});
  const facts = health.system ?? {};
  byId('system').replaceChildren(
    ...Object.entries(facts).flatMap(([key, value]) => [element('dt', '', key), element('dd', '', String(value))]),
  );
}

function draw(card) {
  const { canvas, trace, rateHz } = card;
  const width = canvas.clientWidth * devicePixelRatio;
  const height = canvas.clientHeight * devicePixelRatio;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext('2d');
  pen.clearRect(0, 0, width, height);
  if (trace.length < 2) return;
  const low = Math.min(...trace);
  const span = Math.max(...trace) - low || 1;
  const full = TRACE_SECONDS * rateHz;
  const x = (i) => ((full - trace.length + i) / full) * width;
  const y = (v) => height - ((v - low) / span) * (height - 16) - 4;
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 1.5 * devicePixelRatio;
  pen.beginPath();
  for (let i = 0; i < trace.length; i++) pen.lineTo(x(i), y(trace[i]));
  pen.stroke();
  pen.fillStyle = pen.strokeStyle;
  pen.font = `${11 * devicePixelRatio}px system-ui`;
  for (const beat of card.beats)
    pen.fillText(
      beat.class ?? '·',
      x(trace.length - 1 - (card.newest - beat.sample) / card.step) - 4,
      12 * devicePixelRatio,
    );
}

function frame() {
  for (const card of sensors.values()) draw(card);
  requestAnimationFrame(frame);
}

function follow() {
  const source = new EventSource('/events');
  const on = (type, handle) => source.addEventListener(type, (event) => handle(JSON.parse(event.data)));
  on('vitals', (v) => showVitals(v.sensor, v));
  on('alert', showAlert);
  on('health', showHealth);
  on('trace', ({ sensor, rateHz, step, newest, values }) => {
    const card = sensorCard(sensor);
    Object.assign(card, { rateHz, step, newest });
    card.trace.push(...values);
    card.trace.splice(0, Math.max(0, card.trace.length - TRACE_SECONDS * rateHz));
    const oldest = newest - card.trace.length * step;
    card.beats = card.beats.filter((beat) => beat.sample > oldest);
  });
  on('beat', (beat) => sensorCard(beat.sensor).beats.push(beat));
  source.onerror = () => {
    byId('light').className = 'bad';
    byId('light').textContent = 'slothd does not answer';
  };
}

const status = await (await fetch('/status')).json();
byId('node').textContent = `${status.node} · ${status.version}`;
for (const [name, vitals] of Object.entries(status.vitals)) showVitals(name, vitals);
for (const alert of status.alerts) showAlert(alert);
showHealth(status.health);
follow();
requestAnimationFrame(frame);
