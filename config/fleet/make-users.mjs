#!/usr/bin/env node
// Writes users.conf for the cluster and one password file for each device.
//
//   node make-users.mjs FOLDER DEVICE...        (device names are the `node` of each slothd)
//   node make-users.mjs FOLDER --names FILE     (one name a line)
//
// A device may publish below its own root and nowhere else, and hears only its own commands and what it said itself. The collector may hear all
// and send commands; it may not say anything in a device's name. Names already in FOLDER keep their passwords.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder, ...rest] = process.argv.slice(2);
const names = rest[0] === '--names' ? readFileSync(rest[1], 'utf8').split(/\s+/).filter(Boolean) : rest;
if (!folder || names.length === 0) {
  console.error('usage: node make-users.mjs FOLDER DEVICE... | --names FILE');
  process.exit(1);
}
const wrong = names.filter((name) => !/^[A-Za-z0-9_-]{1,63}$/.test(name));
if (wrong.length > 0) {
  console.error(`not a device name (letters, digits, - and _ only): ${wrong.join(', ')}`);
  process.exit(1);
}
const secrets = join(folder, 'passwords');
mkdirSync(secrets, { recursive: true, mode: 0o700 });

function password(name) {
  const file = join(secrets, name);
  if (!existsSync(file)) writeFileSync(file, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

// An MQTT topic a/b/c is the NATS subject a.b.c; `>` is MQTT's `#`, `*` its `+`. NATS keeps MQTT's own bookkeeping below
// $MQTT, and a client must be allowed the part its subscriptions use. Home Assistant's discovery topics are not below a
// device's root, and a subject rule cannot tell one device's from another's: a fleet runs with homeAssistant.enabled false.
const device = (name) => `      {
        user: "${name}", password: "${password(name)}", allowed_connection_types: ["MQTT"]
        permissions: {
          publish: { allow: ["slothd.${name}.>"] }
          subscribe: { allow: ["slothd.${name}.availability", "slothd.${name}.*.availability", "slothd.${name}.*.alarms", "slothd.${name}.cmd.*", "$MQTT.sub.>"] }
        }
      }`;

const text = `# Written by make-users.mjs: ${names.length} devices. Plain passwords: keep this file readable by nats-server alone, or
# replace each by its bcrypt hash (\`nats server passwd\`).
accounts {
  FLEET: {
    jetstream: enabled
    users: [
${[...new Set(names)].map(device).join('\n')}
      {
        user: "collector", password: "${password('collector')}"
        permissions: {
          publish: { allow: ["slothd.*.cmd.*", "$JS.>", "_INBOX.>", "collectors.>"] }
          subscribe: { allow: [">"] }
        }
      }
    ]
  }
  SYS: { users: [ { user: "admin", password: "${password('admin')}" } ] }
}
system_account: SYS
`;
writeFileSync(join(folder, 'users.conf'), text, { mode: 0o600 });
console.log(`${join(folder, 'users.conf')}: ${new Set(names).size} devices; passwords in ${secrets}/NAME`);
