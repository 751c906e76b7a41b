import { Command } from 'commander';
import { FORMATS } from '../sensor/formats/registry.js';

export function formatsCommand(): Command {
  return new Command('formats')
    .description('List the wire formats slothd reads, with their port settings and options.')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      const rows = [...FORMATS.values()].map((format) => {
        const { baudRate, dataBits, parity, stopBits } = format.serial;
        return {
          id: format.id,
          title: format.title,
          serial: `${baudRate} ${dataBits}${parity[0]!.toUpperCase()}${stopBits}`,
          silenceMs: format.silenceMs,
          options: format.options,
        };
      });
      if (options.json) {
        process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
        return;
      }
      for (const row of rows) {
        process.stdout.write(`${row.id.padEnd(24)} ${row.serial.padEnd(12)} ${row.title}\n`);
        for (const [name, meaning] of Object.entries(row.options)) {
          process.stdout.write(`${''.padEnd(24)} ${`  ${name}`.padEnd(12)} ${meaning}\n`);
        }
      }
    });
}
