// Serves the page, opens it in Chromium, and has it send. The page's origin is another than the gate's, so that Chromium asks the
// gate by CORS for each export.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

// A name instead of the address, so that the origin is the same in every run. The gate has to allow it.
const ORIGIN = 'http://page.localhost';

const script = readFileSync(new URL('node_modules/.bundle/page.js', import.meta.url));
const server = createServer((request, response) => {
  const [type, body] =
    request.url === '/page.js'
      ? ['text/javascript', script]
      : ['text/html', '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'];
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    `--host-resolver-rules=MAP page.localhost 127.0.0.1:${server.address().port}`,
    '--no-proxy-server',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = await browser.newPage();
  page.on('console', (message) => console.error(message.text()));
  page.on('pageerror', (error) => console.error(error));
  await page.goto(`${ORIGIN}/`);
  await page.evaluate((options) => window.start(options), {
    endpoint: process.env.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: Object.fromEntries(process.env.OTEL_EXPORTER_OTLP_HEADERS.split(',').map((pair) => pair.split('='))),
    protocol: process.env.OTEL_EXPORTER_OTLP_PROTOCOL,
    service: process.env.OTEL_SERVICE_NAME,
    waitMillis: Number(process.env.INTEROP_WAIT_SECONDS ?? 10) * 1000,
  });
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (let batch = 1; batch <= Number(process.env.INTEROP_COUNT ?? 1); batch += 1) {
    if (batch > 1 && (await lines.next()).done) break;
    await page.evaluate(() => window.send());
    console.log(`sent ${batch}`);
  }
  await page.evaluate(() => window.stop());
} finally {
  await browser.close();
  server.close();
}
process.exit(0);
