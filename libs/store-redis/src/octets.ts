/** What people write is Unicode; what the store and SIP carry are octets, one character each. */
export function toOctets(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

export function fromOctets(octets: string): string {
  return Buffer.from(octets, 'latin1').toString('utf8');
}

/** A value as JSON in octets. */
export function printJson(value: unknown): string {
  return toOctets(JSON.stringify(value));
}

/** Undefined when the text is no JSON: nobody but us writes there, so that it is damage, and is taken for absence. */
export function readJson(octets: string): unknown {
  try {
    return JSON.parse(fromOctets(octets)) as unknown;
  } catch {
    return undefined;
  }
}
