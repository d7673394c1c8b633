import { Resolver } from 'node:dns/promises';
import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { DnsPort } from '@rollcall/sip-transaction';
import { hostPort } from './addresses.ts';

export interface DnsOptions {
  /** Those of the system when unset. */
  readonly servers?: readonly { readonly host: string; readonly port: number }[] | undefined;
  readonly clock: Clock;
  /** Answers that are kept. */
  readonly limit?: number;
}

/** Node tells the TTL of addresses only; no answer is believed for longer than this, ms. */
const KEPT_MS = 60_000;
/** Nor for less: a TTL of 0 would let one busy name ask for every request. */
const KEPT_LEAST_MS = 1_000;
/** That there is nothing is believed for this long, ms (RFC 2308 §5 leaves it to the resolver). */
const NOTHING_MS = 10_000;
const KEPT_ANSWERS = 4_096;
/** One question and one repetition, well inside the 32 s that a transaction has. */
const QUESTION_MS = 2_000;
const TRIES = 2;
/** Answers of the DNS that say: there is no such thing. */
const NOTHING = new Set(['ENODATA', 'ENOTFOUND']);

interface Kept {
  readonly answer: Promise<readonly unknown[]>;
  until: number;
}

/** The DNS with a bounded memory: one question at a time for each name, whoever asks. */
export function createDns({ servers, clock, limit = KEPT_ANSWERS }: DnsOptions): DnsPort {
  const resolver = new Resolver({ timeout: QUESTION_MS, tries: TRIES });
  if (servers !== undefined) resolver.setServers(servers.map(({ host, port }) => hostPort(host, port)));
  const kept = new BoundedMap<string, Kept>(limit);

  function ask<T>(
    key: string,
    question: () => Promise<{ records: readonly T[]; ttlMs: number }>,
  ): Promise<readonly T[]> {
    const known = kept.peek(key);
    if (known !== undefined && known.until > clock.now()) return known.answer as Promise<readonly T[]>;
    const entry: Kept = { answer: Promise.resolve([]), until: Infinity };
    const answer = question().then(
      ({ records, ttlMs }) => {
        entry.until = clock.now() + (records.length === 0 ? NOTHING_MS : ttlMs);
        return records;
      },
      (error: unknown) => {
        kept.delete(key);
        throw error;
      },
    );
    kept.set(key, Object.assign(entry, { answer }));
    return answer;
  }

  return {
    naptr: (name) => ask(`naptr ${name}`, () => orNothing(resolver.resolveNaptr(name))),
    srv: (name) => ask(`srv ${name}`, () => orNothing(resolver.resolveSrv(name))),
    addresses: (name) =>
      ask(`addresses ${name}`, async () => {
        const [four, six] = await Promise.allSettled([
          orNothing(resolver.resolve4(name, { ttl: true })),
          orNothing(resolver.resolve6(name, { ttl: true })),
        ]);
        if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
        const records = [four, six].flatMap((one) => (one.status === 'fulfilled' ? one.value.records : []));
        const ttlMs = Math.min(KEPT_MS, ...records.map(({ ttl }) => Math.max(KEPT_LEAST_MS, ttl * 1_000)));
        return { records: records.map(({ address }) => address), ttlMs };
      }),
  };
}

async function orNothing<T>(
  question: Promise<readonly T[]>,
): Promise<{ records: readonly T[]; ttlMs: number }> {
  try {
    return { records: await question, ttlMs: KEPT_MS };
  } catch (error) {
    if (error instanceof Error && 'code' in error && NOTHING.has(String(error.code)))
      return { records: [], ttlMs: 0 };
    throw error;
  }
}
