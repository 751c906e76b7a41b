// Pilot for anomaly-rr: a small one-class network, normal rhythm (nsr2db) against made-up rhythms (fibrillation-like, bigeminy,
// trigeminy), scored through the lab's own baseline and alarm engine. No arrhythmia label trains it; not a shipped model.
// Run after `npm run build`: SLOTHD_DATA=... node bench/anomaly-one-class.mjs

import { AnomalyDescription, PersonBaseline, residualOf } from '../dist/inference/windows/anomaly-rr.js';
import * as D from '../dist/lab/models/anomaly-rr/data.js';
import { episodeFigures, normalFigures } from '../dist/lab/models/anomaly-rr/figures.js';
import { departuresOf, peopleConstants } from '../dist/lab/models/anomaly-rr/fit.js';
import { judgeRecord } from '../dist/lab/models/anomaly-rr/score.js';

const o = { dataFolder: process.env.SLOTHD_DATA ?? 'data', cacheFolder: '.slothd/lab/anomaly-rr/cache' };
const C = 12;
let sd = 7;
const rnd = () => {
  sd = (sd * 1103515245 + 12345) % 2147483648;
  return sd / 2147483648;
};
const nrm = () => Math.sqrt(-2 * Math.log(rnd() + 1e-9)) * Math.cos(6.2832 * rnd());
const n = await D.loadNormal(o),
  p = await D.loadPatients(o),
  m = await D.loadStraps(o);
const desc = new AnomalyDescription();
function synth(med) {
  const kind = Math.floor(rnd() * 4);
  const rr = new Float64Array(60);
  const f = kind === 0 ? 0.55 + 0.6 * rnd() : 1;
  const cv = 0.1 + 0.15 * rnd();
  const e = 0.5 + 0.25 * rnd();
  for (let i = 0; i < 60; i++) {
    let x = med * (1 + 0.02 * nrm());
    if (kind <= 1) x = med * (kind === 0 ? f : 0.85 + 0 * rnd()) * Math.exp(cv * nrm());
    else {
      const k = kind === 2 ? 2 : 3;
      if (i % k === 0) x *= e;
      else if (i % k === 1) x *= 2 - e;
    }
    rr[i] = Math.min(2.5, Math.max(0.28, x));
  }
  const out = new Float32Array(C);
  desc.write(rr, out);
  return out;
}
function train(recs) {
  const pre = peopleConstants(recs);
  const X = [],
    Y = [];
  for (const r of recs) {
    const b = new PersonBaseline({ ...pre, usualScore: 1 });
    for (let w = 0; w < r.count; w++) {
      const v = r.features.subarray(w * C, w * C + C);
      if (w % 8 === 0 && w > 50) {
        const d = new Float32Array(C);
        b.departures(v, d);
        X.push(d);
        Y.push(0);
        if (w % 16 === 0) {
          const q = new Float32Array(C);
          b.departures(synth(Math.exp(-v[0])), q);
          X.push(q);
          Y.push(1);
        }
      }
      b.learn(v, r.spanMs[w], 0, false);
    }
  }
  const H = 16;
  const W = Array.from({ length: H * C }, () => nrm() * 0.3),
    B = new Array(H).fill(0),
    V = Array.from({ length: H }, () => nrm() * 0.3);
  let c = 0;
  const h = new Float64Array(H);
  const z = (d) => {
    let s = c;
    for (let j = 0; j < H; j++) {
      let a = B[j];
      for (let i = 0; i < C; i++) a += W[j * C + i] * d[i];
      h[j] = Math.max(a, 0);
      s += V[j] * h[j];
    }
    return s;
  };
  const N = 400000;
  for (let k = 0; k < N; k++) {
    const q = Math.floor(rnd() * X.length),
      d = X[q];
    const g = 1 / (1 + Math.exp(-z(d))) - Y[q];
    const lr = 0.01 * (1 - k / N);
    for (let j = 0; j < H; j++) {
      if (h[j] > 0) {
        const u = lr * g * V[j];
        for (let i = 0; i < C; i++) W[j * C + i] -= u * d[i] + lr * 1e-4 * W[j * C + i];
        B[j] -= u;
      }
      V[j] -= lr * (g * h[j] + 1e-4 * V[j]);
    }
    c -= lr * g;
  }
  const rb = (d) => {
    const s = Math.log1p(Math.exp(Math.min(30, z(d) + 5)));
    const out = Float32Array.from(d);
    out[0] -= s * Math.sqrt(C);
    return out;
  };
  const pk = recs
    .map((r) => {
      const d = departuresOf(r, { ...pre, usualScore: 1 });
      const a = [];
      for (let w = 0; w < d.length / C; w++) {
        const x = d.subarray(w * C, w * C + C);
        a.push(residualOf(x, rb(x)));
      }
      a.sort((x, y) => x - y);
      return a[Math.floor(0.99 * a.length)];
    })
    .sort((a, b) => a - b);
  return { pre: { ...pre, usualScore: pk[pk.length >> 1] }, rb };
}
const jn = [];
for (let f = 0; f < 3; f++) {
  const { pre, rb } = train(n.filter((_, i) => i % 3 !== f));
  for (const r of n.filter((_, i) => i % 3 === f)) jn.push(await judgeRecord(r, pre, rb));
}
const { pre, rb } = train(n);
const jp = [];
for (const r of [...p, ...m]) jp.push(await judgeRecord(r, pre, rb));
console.log('usual', pre.usualScore);
const of = (d) => jp.filter(({ record }) => record.database === d);
for (const s of [60, 120, 300])
  for (const on of [0.7, 1, 1.2, 1.4, 1.7]) {
    const S = { on, off: Math.min(1, on), sustainMs: s * 1000, clearMs: 120000 };
    const a = normalFigures(jn, S),
      l = episodeFigures(of('ltafdb'), S, 2),
      b = episodeFigures(of('mitdb'), S, 2),
      st = normalFigures(of('mmash'), S);
    console.log(
      on,
      s,
      'nsr2db',
      a.per24h.toFixed(2),
      a.peopleWithAlerts.length,
      'ltafdb',
      l.found,
      (100 * l.sensitivity).toFixed(1),
      'mitdb',
      `${b.found}/${b.episodes}`,
      'mmash',
      st.per24h.toFixed(2),
    );
  }
