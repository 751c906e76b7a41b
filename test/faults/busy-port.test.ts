import { join } from 'node:path';
import { SerialPort } from 'serialport';
import { expect, it } from 'vitest';
import { scaledTime } from '../../src/cli/demo/scaled-time.js';
import { systemClock, systemTimers } from '../../src/daemon/system-clock.js';
import { findFormat } from '../../src/sensor/formats/registry.js';
import { explainOpenError, SerialLink } from '../../src/sensor/links/serial.js';
import { makeScenario } from '../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../src/simulator/sensor.js';
import { VirtualPort } from '../../src/simulator/virtual-port.js';
import { benchStation, manualStation } from '../daemon/support/station-bench.js';
import { afterwards, temporaryFolder, until } from '../e2e/support/world.js';

/** Story 4: another program holds the port, or this user may not open it. */

it('a held port: counted as busy, the log says how to find the holder, and it is taken once it is free', async () => {
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  const format = findFormat('protocentral');
  const holder = await SerialPort.binding.open({ path: port.devicePath, baudRate: 9600 });
  let held = true;
  afterwards(() => held && holder.close());
  const written: Uint8Array[] = [];
  port.onData((bytes) => written.push(bytes));

  const time = scaledTime(systemClock, systemTimers, 20);
  const bench = benchStation({ link: new SerialLink({ ...format.serial, path: port.path }), time });
  const { station, told, log, count, online } = bench;
  afterwards(() => station.runtime.stop());
  const ticking = setInterval(() => station.runtime.tick(time.monotonicMs()), 5);
  afterwards(() => clearInterval(ticking));
  station.runtime.start();
  await until('the alert', () => told().length > 0);
  expect(told()).toEqual(['new no-data']);
  expect(await count('link_reopens_total', { reason: 'busy' })).toBeGreaterThanOrEqual(3);
  const line = log.find(({ reason }) => reason === 'busy');
  expect(line?.msg).toContain(`${port.path} is held by another program`);
  expect(line?.msg).toContain('fuser -v');
  // What another program talks to is left alone.
  expect(written).toEqual([]);

  held = false;
  await holder.close();
  const heart = new SimulatedSensor({
    scenario: makeScenario({ episodes: [{ rhythm: 'sinus', seconds: 600 }] }),
    format,
    pacing: time,
    write: (bytes) => port.write(bytes),
  });
  heart.start();
  afterwards(() => heart.stop());
  await until('the end of the alert', () => told().length > 1);
  expect(told()).toEqual(['new no-data', 'end no-data']);
  expect(online).toEqual([true]);
});

it('a forbidden port: counted as forbidden, the log says which group', async () => {
  const { time, link, told, log, count, station } = manualStation();
  link.refuse = explainOpenError(new Error('Error: Permission denied, cannot open /dev/ttyACM0'), '/dev/ttyACM0');
  await time.advance(16_000);
  expect(told()).toEqual(['new no-data']);
  expect(await count('link_reopens_total', { reason: 'forbidden' })).toBeGreaterThanOrEqual(4);
  const line = log.find(({ reason }) => reason === 'forbidden');
  expect(line?.msg).toContain('/dev/ttyACM0 may not be opened by this user');
  expect(line?.msg).toContain('dialout');
  await station.runtime.stop();
});
