import type { Result } from '@rollcall/kernel';
import { err, ok } from '@rollcall/kernel';
import type { Endpoint, Field, Listener, Replicas } from './field.ts';
import { MAX_PORT } from './field.ts';

// A host as RFC 3986 §3.2.2 has it, narrowed to what a listener or a replica can be: a name, an IPv4 address, or [IPv6].
const ENDPOINT = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;

function readEndpoint(text: string): Endpoint | undefined {
  const match = ENDPOINT.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= MAX_PORT ? { host, port } : undefined;
}

/** `host:port`, an IPv6 host in brackets, as in a URI (RFC 3986 §3.2.2). */
export function printEndpoint(endpoint: Endpoint): string {
  const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
  return `${host}:${String(endpoint.port)}`;
}

/** `host:port`. */
export function endpoint(): Field<Endpoint> {
  return {
    type: 'host:port',
    secret: false,
    optional: false,
    parse(text) {
      const value = readEndpoint(text);
      return value === undefined ? err('is not host:port') : ok(value);
    },
    print: printEndpoint,
  };
}

function readListener(text: string): Listener | undefined {
  const [at = '', ...told] = text.split('/');
  const base = readEndpoint(at);
  if (base === undefined || told.length > 2) return undefined;
  const [first, second] = told.map((one) => readAdvertised(one, base.port));
  if (told.length > 0 && first === undefined) return undefined;
  if (told.length > 1 && (second === undefined || second.address.includes(':'))) return undefined;
  return {
    ...base,
    ...(first === undefined ? {} : { advertised: first }),
    ...(second === undefined ? {} : { advertisedIPv4: second }),
  };
}

/** Without a port of its own the advertised address has the port that is listened on. */
function readAdvertised(text: string, port: number): { address: string; port: number } | undefined {
  const read = readEndpoint(text) ?? readEndpoint(`${text}:${String(port)}`);
  return read === undefined ? undefined : { address: read.host, port: read.port };
}

/** Sentinels and the name of the primary that they watch. */
export interface Sentinels {
  readonly name: string;
  readonly sentinels: readonly Endpoint[];
}

function readSentinels(text: string): Result<Sentinels, string> {
  const wrong = err('is not name@host:port,host:port');
  const at = text.indexOf('@');
  if (at <= 0) return wrong;
  const sentinels: Endpoint[] = [];
  for (const part of text.slice(at + 1).split(',')) {
    const one = readEndpoint(part.trim());
    if (one === undefined) return wrong;
    sentinels.push(one);
  }
  return ok({ name: text.slice(0, at), sentinels });
}

/** `name@host:port,host:port`. */
export function sentinels(): Field<Sentinels> {
  return {
    type: 'name@host:port,host:port',
    secret: false,
    optional: false,
    parse: readSentinels,
    print: (value) => `${value.name}@${value.sentinels.map(printEndpoint).join(',')}`,
  };
}

const printAdvertised = (told: { address: string; port: number } | undefined): string =>
  told === undefined ? '' : `/${printEndpoint({ host: told.address, port: told.port })}`;

/**
 * `host:port`, or `host:port/advertised` where the advertised address may carry its own port. A second one behind it is what
 * IPv4 peers of a listener on `[::]` are told.
 */
export function listener(): Field<Listener> {
  return {
    type: 'host:port[/advertised[:port][/IPv4 advertised[:port]]]',
    secret: false,
    optional: false,
    parse(text) {
      const value = readListener(text);
      return value === undefined
        ? err('is not host:port[/advertised[:port][/IPv4 advertised[:port]]]')
        : ok(value);
    },
    print: (value) =>
      printEndpoint(value) + printAdvertised(value.advertised) + printAdvertised(value.advertisedIPv4),
  };
}

function readReplicas(text: string): Result<Replicas, string> {
  if (text.startsWith('dns:')) {
    const target = readEndpoint(text.slice('dns:'.length));
    return target === undefined
      ? err('is not dns:name:port')
      : ok({ kind: 'dns', name: target.host, port: target.port });
  }
  const endpoints: Endpoint[] = [];
  for (const part of text.split(',')) {
    const one = readEndpoint(part.trim());
    if (one === undefined) return err('is neither host:port,host:port nor dns:name:port');
    endpoints.push(one);
  }
  return ok({ kind: 'static', endpoints });
}

/** `host:port,host:port`, or `dns:name:port` where each address of the name is a replica. */
export function replicas(): Field<Replicas> {
  return {
    type: 'host:port,host:port or dns:name:port',
    secret: false,
    optional: false,
    parse: readReplicas,
    print: (value) =>
      value.kind === 'dns'
        ? `dns:${value.name}:${String(value.port)}`
        : value.endpoints.map(printEndpoint).join(','),
  };
}
