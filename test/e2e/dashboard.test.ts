import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeScenario } from '../../src/simulator/scenario.js';
import { hasChromium, openPage, startChromium } from './support/chromium.js';
import { startLive } from './support/live.js';
import { pause } from './support/world.js';

/** The page as a person meets it: real Chromium, real daemon, real model host. */

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const CALM = makeScenario({ episodes: [{ rhythm: 'sinus', bpm: 75, seconds: 600 }] });
const FAST = makeScenario({
  episodes: [
    { rhythm: 'sinus', bpm: 75, seconds: 4 },
    { rhythm: 'sinus-tachycardia', bpm: 175, seconds: 600 },
  ],
});

/** Waits until an expression holds in the page. Strings, because the project's types know no browser. */
async function when(page: Page, expression: string, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  // Not the browser's own polling: it evaluates text, which the page's policy forbids.
  while (!(await page.evaluate(expression))) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${expression}`);
    await pause(30);
  }
}

/** Serious findings of axe on the page as it stands. */
async function axeFindings(page: Page): Promise<unknown[]> {
  // The page's own policy keeps foreign scripts out; the debugger may still bring one.
  await page.evaluate(readFileSync(AXE, 'utf8'));
  const found = await page.evaluate<{ impact: string }[]>(
    `axe.run().then(({ violations }) =>
      violations.map(({ id, impact, nodes }) => ({ id, impact, at: nodes.map((node) => node.failureSummary) })))`,
  );
  return found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
}

const text = (page: Page, selector: string) => page.locator(selector).first().textContent();

const LOOKED_SECONDS = 12;

interface Seen {
  readonly frames: number;
  readonly overflow: number;
  readonly sensors: readonly { name: string; told: number; marked: number; lost: number }[];
}

describe.skipIf(!hasChromium)('the dashboard in Chromium', () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser?.close());

  it('shows beats with their class, and turns red while the model host is stopped', async () => {
    const { url, hostPid, stats } = await startLive([{ name: 'chest', scenario: CALM }]);
    const { page, complaints } = await openPage(browser, url);
    await when(page, `Number(document.querySelector('.bpm span')?.textContent) > 60`, 20_000);
    expect(Number(await text(page, '.bpm span'))).toBeLessThan(90);
    await when(page, `Number(document.querySelector('canvas.trace').dataset.marked) >= 3`);
    expect(await text(page, '#light')).toBe('ready');
    expect(await page.locator('#model-light').getAttribute('class')).toBe('light good');
    expect(await text(page, '#model')).toMatch(/beat-ecg/);
    expect(await text(page, '#latency')).toMatch(/inference/);
    await when(page, `document.querySelectorAll('#spread canvas').length === 1`);

    const before = stats().respawns;
    process.kill(hostPid()!, 'SIGSTOP');
    await when(page, `document.querySelector('#light').classList.contains('bad')`, 10_000);
    expect(await text(page, '#light')).toMatch(/inference: .*did not answer within 1500 ms; it was killed/);
    expect(await page.locator('#model-light').getAttribute('class')).toBe('light bad');
    // Respawned without anybody's help.
    await when(page, `document.querySelector('#light').classList.contains('good')`, 20_000);
    expect(stats().respawns).toBe(before + 1);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  it('shows an alert with its evidence, and acknowledges it by keyboard', async () => {
    const { url, daemon } = await startLive([{ name: 'chest', scenario: FAST }]);
    const { page, complaints } = await openPage(browser, url);
    const alert = page.locator('#active .alert[data-kind="extreme-tachycardia"]');
    await alert.waitFor({ timeout: 30_000 });
    expect(await text(page, '#said')).toBe('high priority alert: extreme tachycardia at chest');
    expect(await page.locator('#quiet').isHidden()).toBe(true);
    await when(page, `/s of signal/.test(document.querySelector('.evidence p')?.textContent)`);
    // Something is drawn.
    const inked = await page.evaluate(`(() => {
      const canvas = document.querySelector('.evidence canvas');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    })()`);
    expect(inked).toBeGreaterThan(500);

    expect(await axeFindings(page)).toEqual([]);
    const ack = alert.getByRole('button', { name: /^Acknowledge extreme tachycardia of chest/ });
    await ack.focus();
    await page.keyboard.press('Enter');
    await alert.getByText(/acknowledged until/).waitFor({ timeout: 5000 });
    expect(await ack.isHidden()).toBe(true);
    expect(
      daemon
        .alarmsOf('chest')!
        .active()
        .map(({ kind }) => kind),
    ).toContain('extreme-tachycardia');

    // A page opened later knows of it, too.
    const { page: other } = await openPage(browser, url);
    await other
      .locator('#active')
      .getByText(/acknowledged until/)
      .waitFor({ timeout: 5000 });
    await other.close();

    await alert.getByRole('button', { name: /^Snooze/ }).click();
    await page.locator('#past .alert[data-kind="extreme-tachycardia"]').waitFor({ state: 'attached', timeout: 5000 });
    expect(await alert.count()).toBe(0);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  it('draws eight sensors without losing a beat, and fits a phone', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `bed-${i + 1}`);
    const { url } = await startLive(names.map((name, i) => ({ name, scenario: CALM, seed: i + 1 })));
    const { page, complaints } = await openPage(browser, url, { width: 390, height: 844, dark: true });
    await when(page, `document.querySelectorAll('canvas.trace').length === 8`);
    // A second listener counts what was told.
    await page.evaluate(`(() => {
      window.told = {};
      window.frames = 0;
      new EventSource('/events').addEventListener('beat', (event) => {
        const { sensor } = JSON.parse(event.data);
        told[sensor] = (told[sensor] ?? 0) + 1;
      });
      const count = () => {
        frames++;
        requestAnimationFrame(count);
      };
      count();
    })()`);
    const look = () =>
      page.evaluate<Seen>(`({
        frames,
        overflow: document.documentElement.scrollWidth - innerWidth,
        sensors: [...document.querySelectorAll('article.sensor')].map((card) => {
          const { marked, lost } = card.querySelector('canvas.trace').dataset;
          return { name: card.dataset.sensor, told: told[card.dataset.sensor] ?? 0, marked: Number(marked ?? 0), lost: Number(lost ?? 0) };
        }),
      })`);
    await pause(LOOKED_SECONDS * 1000);
    const seen = await look();
    for (const one of seen.sensors) {
      expect(one.told, one.name).toBeGreaterThan(10);
      expect(one.lost, one.name).toBe(0);
      // The newest may still wait for the sweep; the page listened a little longer than the counter.
      expect(one.marked, one.name).toBeGreaterThanOrEqual(one.told - 1);
    }
    console.info(`${(seen.frames / LOOKED_SECONDS).toFixed(0)} frames a second with eight sensors, software rendering`);
    expect(seen.overflow).toBeLessThanOrEqual(0);
    expect(await axeFindings(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  }, 60_000);

  it('says so when the daemon is gone', async () => {
    const { url, daemon } = await startLive([{ name: 'chest', scenario: CALM }]);
    const { page } = await openPage(browser, url);
    await when(page, `document.querySelector('#light').classList.contains('good')`);
    await daemon.stop();
    await when(page, `/slothd/.test(document.querySelector('#light.bad')?.textContent)`);
    await page.close();
  }, 60_000);
});
