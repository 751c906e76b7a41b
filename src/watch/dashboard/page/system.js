// The light, the model and the machine.
import { byId, duration, fillList, setText } from './elements.js';

/** A model host that was away is back within a second; the light stays red long enough to be seen. */
const RED_AT_LEAST_MS = 3000;
let redUntil = 0;
let redWhy = '';
let lastHealth = null;

export function showHealth(health) {
  lastHealth = health;
  const now = Date.now();
  if (!health.ready) {
    redUntil = now + RED_AT_LEAST_MS;
    redWhy = health.reasons.join('; ');
  }
  const red = !health.ready || now < redUntil;
  light('light', red ? 'bad' : 'good', red ? redWhy : 'ready');
  showModel(health, red);
  fillList(byId('system'), [...Object.entries(health.system ?? {}), ['running for', uptime(health.uptimeSeconds)]]);
}

/** Nothing has been heard, and why. */
export function showSilence(why) {
  light('light', 'bad', why);
  light('model-light', 'unknown', 'unknown');
}

/** The last health once more, for lights that wait to change back. */
export function refreshHealth() {
  if (lastHealth) showHealth(lastHealth);
}

function light(id, state, text) {
  const node = byId(id);
  if (node.dataset.state !== state) {
    node.dataset.state = state;
    node.className = `light ${state}`;
  }
  setText(byId(id === 'light' ? 'light-text' : 'model-text'), text);
}

function showModel({ inference, model }, red) {
  if (!model) {
    light('model-light', inference.reason ? 'bad' : 'unknown', inference.reason || 'no model is configured');
    fillList(byId('model'), []);
    return;
  }
  const down = inference.state !== 'ready' && inference.state !== 'slow';
  const held = red && redWhy.includes('inference');
  const state = down || held ? 'bad' : inference.state === 'slow' || model.note ? 'warn' : 'good';
  const slow = inference.reason ? `slow: ${inference.reason}` : 'slow';
  light('model-light', state, down || held ? redWhy : inference.state === 'slow' ? slow : inference.state);
  const trials = model.trials.map(({ variant, medianMs, refused }) => `${variant} ${refused ?? duration(medianMs)}`);
  const pairs = [
    ['model', model.name],
    ['precision', model.precision || '–'],
    ['runtime', model.runtime || '–'],
    ['timed at start', trials.join(', ') || 'not timed'],
    ['respawns', model.respawns],
    ['missed deadlines', model.timeouts],
    ['late answers', model.lateAnswers],
    ['memory restarts', model.memoryRestarts],
    ['beats without answer', model.unanswered],
    ['waiting', model.queued],
    ['host memory', model.hostResidentMiB === null ? 'unknown' : `${Math.round(model.hostResidentMiB)} MiB`],
    ['budget', `${duration(model.budgetMs)} at p99`],
    ['sha256', model.sha256.slice(0, 16) || '–'],
  ];
  if (model.note) pairs.unshift(['note', model.note]);
  fillList(byId('model'), pairs);
}

function uptime(seconds) {
  const parts = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const [days, hours, minutes] = parts;
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min` : `${seconds} s`;
}
