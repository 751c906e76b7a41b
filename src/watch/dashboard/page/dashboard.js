// The dashboard: starts from /status, then follows /events. No build step; what you read is what runs.
import { repaintAlerts, showAlert } from './alerts.js';
import { byId, setText } from './elements.js';
import { addLatency, repaintLatency, showLatency, startLatency } from './latency.js';
import { drawSensors, repaintSensors, sensorCard, showBeat, showSamples, showVitals } from './sensors.js';
import { refreshHealth, showHealth, showSilence } from './system.js';

/** The daemon says something every second; longer silence means it is stopped or unreachable. */
const SILENCE_MS = 3500;
let heardAt = performance.now();
let started = false;

async function start() {
  const response = await fetch('/status');
  if (!response.ok) throw new Error(`slothd answers ${response.status}`);
  const status = await response.json();
  setText(byId('node'), status.node);
  setText(byId('version'), status.version);
  document.title = `${status.node} · slothd`;
  for (const { name, waveform, vitals, beats } of status.sensors) {
    sensorCard(name, waveform);
    if (!started) for (const beat of beats) sensorCard(name).intervals.add(beat);
    showVitals(name, vitals);
  }
  // Newest first as told; the last one shown stands on top.
  for (const alert of status.alerts.toReversed()) showAlert(alert);
  if (!started) startLatency(status.latency);
  show(status.health);
  started = true;
}

function show(health) {
  showHealth(health);
  showLatency(health.latency ?? {});
}

function follow() {
  const source = new EventSource('/events');
  const on = (type, handle) =>
    source.addEventListener(type, (event) => {
      heardAt = performance.now();
      handle(JSON.parse(event.data));
    });
  on('vitals', (vitals) => showVitals(vitals.sensor, vitals));
  on('alert', showAlert);
  on('health', show);
  on('latency', addLatency);
  on('trace', (bundle) => showSamples(bundle.sensor, bundle));
  on('beat', (beat) => showBeat(beat.sensor, beat));
  let lost = false;
  source.addEventListener('open', () => {
    // What happened meanwhile is in the status.
    if (lost) start().catch(() => {});
    lost = false;
  });
  source.addEventListener('error', () => {
    lost = true;
    showSilence('slothd does not answer');
    // The browser tries again by itself, but not after an answer that was a refusal.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  });
}

let lastFrame = performance.now();
function frame(now) {
  drawSensors(Math.min(1, (now - lastFrame) / 1000));
  lastFrame = now;
  requestAnimationFrame(frame);
}

setInterval(() => {
  const silentMs = performance.now() - heardAt;
  if (silentMs > SILENCE_MS) showSilence(`no word from slothd for ${Math.round(silentMs / 1000)} s`);
  else refreshHealth();
}, 500);

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  repaintSensors();
  repaintAlerts();
  repaintLatency();
});

try {
  await start();
} catch (error) {
  showSilence(`slothd does not answer: ${error.message}`);
}
follow();
requestAnimationFrame(frame);
