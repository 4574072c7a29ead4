// A demo shop of its own and a browser to look at it, for every test in this folder.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const load = createRequire(`${process.env.NODE_TOOLS}/`);
const { chromium } = load('playwright-core');
const AXE = readFileSync(load.resolve('axe-core/axe.min.js'), 'utf8');
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Starts `mintreu demo` on a free port and Chromium; call `close` at the end. */
export async function openShop() {
  const folder = mkdtempSync(join(tmpdir(), 'mintreu-web-'));
  const listen = ['--folder', join(folder, 'shop'), '--listen', '127.0.0.1:0'];
  const server = spawn(process.env.MINTREU_BIN, ['--json', 'demo', ...listen], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { url } = await firstLine(server);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  const close = async () => {
    await browser.close();
    await stopped(server);
    rmSync(folder, { recursive: true, force: true });
  };
  return { url, browser, close };
}

async function firstLine(server) {
  for await (const line of createInterface({ input: server.stdout })) return JSON.parse(line);
  throw new Error('the demo ended before it said where it listens');
}

function stopped(server) {
  return new Promise((ended) => {
    server.once('exit', ended);
    server.kill('SIGTERM');
  });
}

/** What axe finds wrong on the page, each as one line. */
export async function violations(page) {
  await page.evaluate(AXE);
  const run = (tags) => globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags } });
  const { violations: found } = await page.evaluate(run, RULES);
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}
