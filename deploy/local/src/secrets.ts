import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Secrets {
  readonly secret: string;
  readonly adminToken: string;
}

const SECRET_BYTES = 32;
const TOKEN_BYTES = 18;

/** The secrets of this machine's demo system: made once and kept, so that phones and scripts survive a restart. */
export function keptSecrets(folder: string): Secrets {
  const file = join(folder, 'secrets.json');
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as Partial<Secrets>;
    if (typeof kept.secret === 'string' && typeof kept.adminToken === 'string') {
      return { secret: kept.secret, adminToken: kept.adminToken };
    }
  }
  const made = newSecrets();
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  return made;
}

export function newSecrets(): Secrets {
  return {
    secret: randomBytes(SECRET_BYTES).toString('hex'),
    adminToken: randomBytes(TOKEN_BYTES).toString('base64url'),
  };
}
