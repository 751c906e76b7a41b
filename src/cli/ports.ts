import { Command } from 'commander';
import { listPorts } from '../sensor/links/list-ports.js';

export function portsCommand(): Command {
  return new Command('ports')
    .description('List serial ports, each by the name that stays the same when it is plugged in again.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const ports = await listPorts();
      if (options.json) process.stdout.write(`${JSON.stringify(ports, null, 2)}\n`);
      else if (ports.length === 0) {
        process.stdout.write('no serial port found: plug the sensor in, and look at `dmesg | tail` if it stays so\n');
      } else {
        for (const port of ports)
          process.stdout.write(`${port.stablePath.padEnd(70)} ${port.path.padEnd(14)} ${port.about}\n`);
      }
    });
}
