import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { checkSensors } from '../daemon/check-sensors.js';

export function checkCommand(): Command {
  return new Command('check')
    .description('Read a config as the daemon would and say what is wrong, with line numbers.')
    .option('-c, --config <file>', 'the config file', '/etc/slothd/slothd.yaml')
    .option('--print', 'print the config with every default filled in')
    .action(async (options: { config: string; print?: boolean }) => {
      const config = await loadConfig(options.config);
      checkSensors(config, options.config);
      if (options.print) process.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
      else process.stdout.write(`${options.config}: good, ${config.sensors.length} sensor(s)\n`);
    });
}
