import { BoundedMap } from '@rollcall/kernel';
import type { Clock } from '@rollcall/kernel';
import type { EdgeLog } from './ports.ts';
import type { Networks } from './trusted-peers.ts';

export interface GuardOptions {
  /** Wrong answers for one name in a minute; past it further ones are not even looked at. */
  readonly guessesPerName: number;
  /** Wrong answers from one address in a minute; past it the address is banned. */
  readonly guessesPerAddress: number;
  /** Challenges to one address in a minute that nobody answers; past it the address is banned as a scanner. */
  readonly scansPerAddress: number;
  /** How long a ban lasts, ms. */
  readonly banMs: number;
}

export const GUARD_DEFAULTS: GuardOptions = {
  guessesPerName: 10,
  guessesPerAddress: 30,
  scansPerAddress: 2_000,
  banMs: 300_000,
};

export interface GuardCounters {
  /** Bans since the start, by reason. */
  guessing: number;
  scanning: number;
  /** Requests of banned addresses that were refused. */
  refused: number;
  /** Answers that were not looked at because their name is being guessed at. */
  throttled: number;
}

/** What is to be done with a request. */
export type Verdict = 'serve' | 'banned' | 'throttled';

const WINDOW_MS = 60_000;
/** Addresses and names that are kept: the latest. Their number has a bound whatever comes from spoofed sources. */
const ADDRESSES = 50_000;
const NAMES = 50_000;
/** Users that have proved themselves, with the address they did it from. */
const PROVED = 100_000;
/** An address that proves this share of its challenges is a place where many phones are, not a scanner. */
const PROVED_SHARE = 10;
/** As long as a phone may keep a nonce: whoever has proved a name from an address is known there for a day. */
const PROVED_MS = 86_400_000;
/** So often what is known is made young again. */
const PROOF_MS = 600_000;
/** An address is told of in the log, a flood of them is not. */
const LOGS_PER_WINDOW = 20;

/** From where a user has proved themselves last, and until when, ms, nothing more is to be kept of that. */
export interface Proof {
  address: string;
  until: number;
}

interface AddressRecord {
  windowEnds: number;
  challenged: number;
  wrong: number;
  proved: number;
  bannedUntil: number;
}

interface NameRecord {
  windowEnds: number;
  wrong: number;
}

/**
 * Slows those down who guess passwords or scan for users (F09, K27). It never locks out a user who has proved themselves from
 * their address before, so that an attacker behind the same NAT, or from a thousand networks, does not take their phone away.
 * Memory only: nothing is written to the store for a request without a proven user (invariant 8).
 */
export class GuessGuard {
  readonly counters: GuardCounters = { guessing: 0, scanning: 0, refused: 0, throttled: 0 };
  readonly #addresses = new BoundedMap<string, AddressRecord>(ADDRESSES);
  readonly #names = new BoundedMap<string, NameRecord>(NAMES);
  readonly #proved = new BoundedMap<string, number>(PROVED);
  #logWindowEnds = 0;
  #logs = 0;

  constructor(
    private readonly options: GuardOptions,
    /** Never banned: load balancers that hide everybody behind one address, ourselves. */
    private readonly exempt: Networks,
    private readonly clock: Clock,
    private readonly log: EdgeLog,
  ) {}

  /** Most that is kept, all together. */
  readonly limit = ADDRESSES + NAMES + PROVED;

  get size(): number {
    return this.#addresses.size + this.#names.size + this.#proved.size;
  }

  /** Addresses that are banned now. */
  banned(): number {
    const now = this.clock.now();
    let count = 0;
    for (const record of this.#addresses.values()) if (record.bannedUntil > now) count += 1;
    return count;
  }

  /** True for an address that is banned now: whether its request is served is for `judge` to say. */
  suspects(address: string): boolean {
    const record = this.#addresses.peek(address);
    return record !== undefined && record.bannedUntil > this.clock.now();
  }

  /** Before credentials are looked at. `name`: who the request says it is, for what that is worth. */
  judge(address: string, realm: string, name: string): Verdict {
    const now = this.clock.now();
    const record = this.#addresses.peek(address);
    const banned = record !== undefined && record.bannedUntil > now;
    const names = this.#names.size === 0 ? undefined : this.#names.peek(nameKey(realm, name));
    const guessed =
      names !== undefined && names.windowEnds > now && names.wrong >= this.options.guessesPerName;
    if (!banned && !guessed) return 'serve';
    if ((this.#proved.peek(provedKey(address, realm, name)) ?? 0) > now) return 'serve';
    if (banned) {
      this.counters.refused += 1;
      return 'banned';
    }
    this.counters.throttled += 1;
    return 'throttled';
  }

  challenged(address: string): void {
    const record = this.#record(address);
    if (record === undefined) return;
    record.challenged += 1;
    const { scansPerAddress } = this.options;
    if (
      record.challenged - record.proved > scansPerAddress &&
      record.proved * PROVED_SHARE < record.challenged
    )
      this.#ban(address, record, 'scanning');
  }

  wrong(address: string, realm: string, name: string): void {
    const record = this.#record(address);
    if (record === undefined) return;
    this.#countName(nameKey(realm, name));
    record.wrong += 1;
    if (record.wrong > this.options.guessesPerAddress && record.wrong > record.proved)
      this.#ban(address, record, 'guessing');
  }

  /** `proof` is kept by the caller with the name, and only written here: this is on the path of every REGISTER. */
  proved(address: string, realm: string, name: string, proof: Proof): void {
    const record = this.#addresses.peek(address);
    if (record !== undefined) record.proved += 1;
    const now = this.clock.now();
    if (proof.address === address && proof.until > now) return;
    proof.address = address;
    proof.until = now + PROOF_MS;
    this.#proved.set(provedKey(address, realm, name), now + PROVED_MS);
  }

  #record(address: string): AddressRecord | undefined {
    if (this.exempt.has(address)) return undefined;
    const now = this.clock.now();
    const known = this.#addresses.peek(address);
    if (known !== undefined) {
      if (known.windowEnds <= now) {
        known.windowEnds = now + WINDOW_MS;
        known.challenged = 0;
        known.wrong = 0;
        known.proved = 0;
      }
      return known;
    }
    const record = { windowEnds: now + WINDOW_MS, challenged: 0, wrong: 0, proved: 0, bannedUntil: 0 };
    this.#addresses.set(address, record);
    return record;
  }

  #countName(key: string): void {
    const now = this.clock.now();
    const known = this.#names.peek(key);
    if (known === undefined || known.windowEnds <= now)
      this.#names.set(key, { windowEnds: now + WINDOW_MS, wrong: 1 });
    else known.wrong += 1;
  }

  #ban(address: string, record: AddressRecord, reason: 'guessing' | 'scanning'): void {
    const now = this.clock.now();
    if (record.bannedUntil > now) return;
    record.bannedUntil = now + this.options.banMs;
    this.counters[reason] += 1;
    // Made the youngest, so that a flood of other addresses does not push it out first.
    this.#addresses.get(address);
    if (this.#logWindowEnds <= now) {
      this.#logWindowEnds = now + WINDOW_MS;
      this.#logs = 0;
    }
    this.#logs += 1;
    if (this.#logs > LOGS_PER_WINDOW) return;
    this.log.warn(
      {
        event: 'address-banned',
        address,
        reason,
        forMs: this.options.banMs,
        wrong: record.wrong,
        challenged: record.challenged,
      },
      'an address is banned for a time',
    );
  }
}

/** RFC 3261 §25.1 has no NUL in a realm or a name. */
const nameKey = (realm: string, name: string): string => `${realm}\0${name}`;
const provedKey = (address: string, realm: string, name: string): string => `${address}\0${realm}\0${name}`;
