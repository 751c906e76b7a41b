import type { Argument, Command, Option } from 'commander';
import { VERBS } from './verbs.js';

/** One verb with its own verbs, loaded. */
export async function commandTree(): Promise<Command[]> {
  return Promise.all(VERBS.map(async ([name, , load]) => (await load()).name(name)));
}

/** Verbs that say more with their exit code than `EXIT_CODES` does. */
const OWN_EXIT_CODES: Readonly<Record<string, string>> = {
  run: 'Stays until it is told to end (SIGTERM, SIGINT), whatever happens to sensors and brokers; then 0.',
  doctor: '1 as well when something is bad; warnings alone leave it at 0.',
  probe: '1 as well when nothing it knows was heard.',
  replay: '2 as well when an alert decided again came out otherwise than it did on the device.',
};

const HEAD = `# Commands

Written by \`npm run references\` from the commands themselves; what stands here is what \`slothd VERB --help\` says.
What the verbs are for, in a user's order: [the index of the documentation](README.md).

Exit codes of every verb: **0** it went well, **1** something a person can mend (usage, config, a file, what was asked for is
not there), **2** a fault of slothd's own. Results go to standard output, everything else to standard error.

`;

/** docs/cli-reference.md: every verb, argument and option. */
export async function cliReference(): Promise<string> {
  const verbs = await commandTree();
  const index = verbs.map(
    (verb) => `| [\`slothd ${verb.name()}\`](#slothd-${verb.name()}) | ${VERBS_DO.get(verb.name())} |`,
  );
  return `${HEAD}| verb | what it does |\n| --- | --- |\n${index.join('\n')}\n\n${verbs.flatMap((verb) => sections(verb, 'slothd')).join('\n\n')}\n`;
}

const VERBS_DO = new Map(VERBS.map(([name, does]) => [name, does]));

function sections(command: Command, parent: string): string[] {
  const full = `${parent} ${command.name()}`;
  const lines = [`${parent === 'slothd' ? '##' : '###'} ${full}`, '', sentence(command.description())];
  if (command.commands.length === 0) lines.push('', '```text', `${full} ${command.usage()}`.trimEnd(), '```');
  if (command.registeredArguments.length > 0) {
    lines.push('', '| argument | |', '| --- | --- |', ...command.registeredArguments.map(argumentRow));
  }
  const options = command.options.filter((option) => !option.hidden);
  if (options.length > 0) lines.push('', '| option | | default |', '| --- | --- | --- |', ...options.map(optionRow));
  const exit = parent === 'slothd' ? OWN_EXIT_CODES[command.name()] : undefined;
  if (exit) lines.push('', `Exit code: ${exit}`);
  return [lines.join('\n'), ...command.commands.flatMap((verb) => sections(verb, full))];
}

function argumentRow(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  const shown = argument.required ? `<${name}>` : `[${name}]`;
  return `| \`${shown}\` | ${cell(`${argument.description}${among(argument.argChoices)}`)} |`;
}

function optionRow(option: Option): string {
  const must = option.mandatory ? '; must be given' : '';
  return `| \`${cell(option.flags)}\` | ${cell(`${option.description}${among(option.argChoices)}${must}`)} | ${defaultOf(option)} |`;
}

function among(choices: readonly string[] | undefined): string {
  return choices ? `: ${choices.map((choice) => `\`${choice}\``).join(', ')}` : '';
}

function defaultOf({ defaultValue, defaultValueDescription, negate }: Option): string {
  if (defaultValueDescription) return cell(defaultValueDescription);
  if (negate || defaultValue === undefined || defaultValue === false) return '';
  const isEmpty = typeof defaultValue === 'object' && defaultValue !== null && Object.keys(defaultValue).length === 0;
  return isEmpty ? '' : `\`${cell(typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue))}\``;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** A bar would end the cell, a line break the row, and `<` begin HTML outside code. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ');
}
