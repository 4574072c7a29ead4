// Verifies a license where there is no network:
//   node offline.cjs PACKAGE LICENSE_FILE TRUST ADDRESS PORT
// PACKAGE is `mintreu` or `mintreu-wasm`.
const { readFileSync } = require('node:fs');
const { connect } = require('node:net');

const [name, path, trust, address, port] = process.argv.slice(2);

const line = connect({ host: address, port: Number(port), timeout: 2000 });
line.on('connect', () => {
  console.error('the network is not blocked, so this would prove nothing');
  process.exit(1);
});
line.on('timeout', () => line.destroy(new Error('timeout')));
line.on('error', () => {
  const license = require(name).verify(readFileSync(path, 'utf8'), trust);
  const { id, product, verdict } = license;
  console.log(JSON.stringify({ id, product, code: verdict.code }));
});
