import { InvalidArgumentError } from 'commander';

/** A number above 0. @throws InvalidArgumentError */
export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('a number above 0 is needed');
  return value;
}

/** A whole number. @throws InvalidArgumentError */
export function whole(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value)) throw new InvalidArgumentError('a whole number is needed');
  return value;
}

/** A TCP port; 0 is any free one. @throws InvalidArgumentError */
export function tcpPort(text: string): number {
  const value = whole(text);
  if (value < 0 || value > 65_535) throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return value;
}

/** Both sides of `name=value`. @throws InvalidArgumentError */
export function nameAndValue(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('write it as name=value');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The value of a format's option as it would stand in a config: true and false, numbers, else text. */
export function optionValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? text : number;
}

/** For a repeatable `--option name=value`. */
export function collectOption(text: string, sofar: Record<string, string | number | boolean>) {
  const [name, value] = nameAndValue(text);
  return { ...sofar, [name]: optionValue(value) };
}
