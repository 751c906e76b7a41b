// Pictures of the dashboard for the docs: the demo runs, Chromium looks. `npm run build && node bench/screenshots.mjs`
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const OUT = fileURLToPath(new URL('../docs/images/', import.meta.url));
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Long enough for the first alert of the demo's heart to be open, with something in every chart. */
const MOST_SECONDS = 120;

await mkdir(OUT, { recursive: true });
const demo = spawn(process.execPath, [MAIN, 'demo', '--for', String(MOST_SECONDS + 60)], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise((resolve, reject) => {
  let text = '';
  demo.stdout.on('data', (chunk) => {
    text += chunk;
    const found = /dashboard\s+(http\S+)/.exec(text);
    if (found) resolve(found[1]);
  });
  demo.once('exit', () => reject(new Error(`the demo ended:\n${text}`)));
});
const browser = await chromium.launch({
  executablePath: process.env.SLOTHD_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
});
const open = async (width, height, colorScheme) => {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  await page.goto(url);
  return page;
};
const light = await open(1280, 900, 'light');
const dark = await open(1280, 900, 'dark');
const phone = await open(390, 844, 'light');
await light.waitForTimeout(25_000);
await light
  .locator('#active .alert .evidence[open]')
  .first()
  .waitFor({ timeout: MOST_SECONDS * 1000 });
await light.waitForTimeout(8000);
await light.screenshot({ path: `${OUT}dashboard.png`, fullPage: true });
await dark.screenshot({ path: `${OUT}dashboard-dark.png` });
await phone.screenshot({ path: `${OUT}dashboard-phone.png` });
await browser.close();
demo.kill('SIGINT');
await once(demo, 'exit');
