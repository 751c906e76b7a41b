// The sensors of the soak: an ECG, a pulse wave and an RR strap with eventful hearts, and one that plays only noise.
import { join } from 'node:path';
import { seededRandom } from '../../dist/lab/random.js';
import { findFormat } from '../../dist/sensor/formats/registry.js';
import { builtInScenario, makeScenario } from '../../dist/simulator/scenario.js';
import { SimulatedSensor } from '../../dist/simulator/sensor.js';
import { VirtualPort } from '../../dist/simulator/virtual-port.js';

const NOISE_RATE_HZ = 250;
const NOISE_EVERY_MS = 40;

const calm = { rhythm: 'sinus', bpm: 68, seconds: 20 };
const EVENTFUL = makeScenario({
  name: 'soak',
  atEnd: 'repeat',
  episodes: [
    calm,
    { rhythm: 'sinus-tachycardia', bpm: 165, seconds: 40 },
    calm,
    { rhythm: 'pause', seconds: 3.3 },
    calm,
    { rhythm: 'ventricular-tachycardia', bpm: 175, beats: 24 },
    calm,
    { rhythm: 'sinus-bradycardia', bpm: 34, seconds: 40 },
    calm,
    { rhythm: 'sinus', contact: false, seconds: 12 },
  ],
});

const SENSORS = [
  { name: 'ecg', id: 'ad8232', formatOptions: { rateHz: 250 } },
  { name: 'pulse', id: 'pulsesensor-plotter', formatOptions: {} },
  { name: 'strap', id: 'ble-hrm-hex', formatOptions: {} },
  { name: 'noise', id: 'ad8232', formatOptions: { rateHz: NOISE_RATE_HZ }, noise: true },
];

/** Opens the ports and starts what plays into them; `calm()` gives each a calm heart. */
export async function startSensors(folder, seed) {
  const sensors = [];
  for (const [i, { name, id, formatOptions, noise = false }] of SENSORS.entries()) {
    const port = await VirtualPort.open({ link: join(folder, name) });
    const format = findFormat(id);
    const play = (scenario) => {
      const heart = new SimulatedSensor({
        scenario,
        format,
        options: formatOptions,
        seed: seed + i,
        write: (bytes) => port.write(bytes),
      });
      heart.start();
      return () => heart.stop();
    };
    let stop = noise ? playNoise(port, seed + i) : play(EVENTFUL);
    sensors.push({
      name,
      noise,
      format,
      formatOptions,
      port,
      calm() {
        stop();
        stop = play(builtInScenario('calm'));
      },
      close() {
        stop();
        port.close();
      },
    });
  }
  return sensors;
}

/** White noise over the whole range of a 10-bit converter, as an electrode in the air gives it. */
function playNoise(port, seed) {
  const random = seededRandom(seed);
  const timer = setInterval(() => {
    let text = '';
    for (let i = 0; i < (NOISE_RATE_HZ * NOISE_EVERY_MS) / 1000; i++) text += `${Math.floor(random() * 1024)}\r\n`;
    port.write(Buffer.from(text));
  }, NOISE_EVERY_MS);
  return () => clearInterval(timer);
}
