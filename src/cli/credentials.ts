import { existsSync } from 'node:fs';

/** Where systemd puts what LoadCredential= names for our service (systemd.exec(5)); only root and the service look in. */
const OF_SERVICE = '/run/credentials/slothd.service';

/** Lets a config that speaks of $CREDENTIALS_DIRECTORY be read outside of the service, too, while that one runs. */
export function adoptCredentials(env: NodeJS.ProcessEnv = process.env, there = existsSync(OF_SERVICE)): void {
  if (env.CREDENTIALS_DIRECTORY === undefined && there) env.CREDENTIALS_DIRECTORY = OF_SERVICE;
}
