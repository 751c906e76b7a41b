import { type AlarmSettings, alarmSettingsSchema } from '../../config/alarms.js';

/**
 * The alarms' defaults with every kind switched off but some: a model is judged by its own alarm, no other in its way.
 * @param kinds names of those that stay, with what is set otherwise in each
 */
export function onlyKinds(kinds: Readonly<Partial<Record<keyof AlarmSettings, object>>>): AlarmSettings {
  const all = alarmSettingsSchema.parse({});
  const settings = Object.entries(all).map(([name, section]) => {
    const own = kinds[name as keyof AlarmSettings];
    if (own) return [name, { ...section, ...own, enabled: true }];
    return [name, 'enabled' in section ? { ...section, enabled: false } : section];
  });
  return Object.fromEntries(settings) as AlarmSettings;
}
