/** Version of the config's layout that this program reads. */
export const CONFIG_VERSION = 1;

type Raw = Record<string, unknown>;
/** Step N turns a config of version N into one of N + 1, in place. */
export type ConfigMigration = (raw: Raw) => void;

/** A key that is renamed or moves gets the next version and a step here, so that an update never breaks a config. */
export const CONFIG_MIGRATIONS: Readonly<Record<number, ConfigMigration>> = {};

/**
 * Brings a parsed config of an earlier version up to date, in memory; the file stays as it is.
 * @returns null, or why it cannot be read
 */
export function migrateConfig(
  raw: unknown,
  target: number = CONFIG_VERSION,
  steps: Readonly<Record<number, ConfigMigration>> = CONFIG_MIGRATIONS,
): string | null {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return null;
  const config = raw as Raw;
  const { version } = config;
  // Anything else that is no version is for the schema to say.
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) return null;
  if (version > target)
    return `this config is of version ${version}, this slothd reads up to ${target}: update slothd, or write the config anew with slothd init`;
  for (let at = version; at < target; at++) steps[at]?.(config);
  config.version = target;
  return null;
}
