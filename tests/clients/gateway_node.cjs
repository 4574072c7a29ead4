// One node in another language: says that it is ready, spends what it is lent and prints how many
// units that were.
const { RemoteGateway } = require('mintreu');

const [server, token, key, tries] = process.argv.slice(2);

async function main() {
  const gateway = new RemoteGateway({ server, token, meter: 'runs', slices: true, sliceSize: 40 });
  process.stdout.write('ready\n');
  let granted = 0;
  for (let nth = 0; nth < Number(tries); nth += 1) {
    if ((await gateway.allow(key)).allowed) granted += 1;
  }
  await gateway.close();
  process.stdout.write(String(granted));
}

main();
