import { hashHa1, readAnswer } from '@rollcall/digest';
import type { Algorithm, Answer, NonceAuthority, ReadAnswer, Verifier } from '@rollcall/digest';
import type { Clock } from '@rollcall/kernel';
import type { User } from '@rollcall/location';
import { parseUri, uriEquals } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { ServerTransaction } from '@rollcall/sip-transaction';
import type { DigestOutcome, EdgeCounters } from './counters.ts';
import type { DomainTable } from './domain-table.ts';
import type { GuessGuard } from './guess-guard.ts';
import type { Replies, Side } from './reply.ts';
import type { SenderCheck } from './sender-check.ts';
import type { Account, UserCache } from './user-cache.ts';

export interface DigestPolicy {
  /** Answers in the manner of RFC 2069, MD5 only: neither qop nor cnonce (Pidgin, Nero SIPPS). Their nonce is good for one use. */
  readonly allowRfc2069: boolean;
  /**
   * `equivalent`: the digest uri names what the Request-URI names, by RFC 3261 §19.1.4. `served`: any URI of a domain of ours
   * will do, for phones behind a border element that rewrites the Request-URI (RFC 8760 §2.6 item 6 allows both).
   */
  readonly digestUri: 'equivalent' | 'served';
}

/** Called with a user whose password has been proved, at once when the user is cached. */
export type OnIdentity = (transaction: ServerTransaction, account: Account) => void;

/** A request whose user is being looked up. */
interface Claim {
  readonly transaction: ServerTransaction;
  readonly answer: Answer;
  readonly side: Side;
  readonly next: OnIdentity;
}

/**
 * Digest authentication at the edge (RFC 3261 §22, RFC 7616, RFC 8760). Everything but a proven identity is answered here:
 * nothing reaches an inner service without one. Nothing is kept of a request that does not prove one.
 */
export class Authenticator {
  readonly #dummies: Readonly<Record<Algorithm, string>>;

  constructor(
    private readonly nonces: NonceAuthority,
    private readonly verifier: Verifier,
    private readonly users: UserCache,
    private readonly domains: DomainTable,
    private readonly replies: Replies,
    private readonly counters: EdgeCounters,
    private readonly clock: Clock,
    private readonly policy: DigestPolicy,
    private readonly guard: GuessGuard,
    private readonly senders: SenderCheck,
  ) {
    // Compared with for a user that does not exist, so that the same work is done; no password hashes to it.
    const nobody = (algorithm: Algorithm): string => hashHa1(algorithm, '', '', nonces.issue(clock.now()));
    this.#dummies = {
      'SHA-512-256': nobody('SHA-512-256'),
      'SHA-256': nobody('SHA-256'),
      MD5: nobody('MD5'),
    };
  }

  /** Proves who sends this request as a user of `realm`, or answers it. */
  authenticate(transaction: ServerTransaction, realm: string, side: Side, next: OnIdentity): void {
    const answer = this.#read(transaction.request, realm, side);
    switch (answer.kind) {
      case 'empty':
      case 'unoffered':
        if (this.#isBanned(transaction, realm)) return;
        this.guard.challenged(transaction.flow.remote.address);
        this.#challenge(transaction, realm, side, 'none');
        return;
      case 'malformed':
        this.#count('malformed');
        this.replies.refuse(transaction, 'badCredentials');
        return;
      case 'answer':
        this.#judge({ transaction, answer, side, next });
    }
  }

  /** The credentials for our realm, the first that can be answered; others are for other servers (RFC 3261 §22.3). */
  #read(request: SipRequest, realm: string, side: Side): ReadAnswer {
    if (!request.has(side === 'proxy' ? 'proxy-authorization' : 'authorization')) return NOTHING;
    const credentials = side === 'proxy' ? request.proxyAuthorization() : request.authorization();
    if (!credentials.ok) return { kind: 'malformed', detail: credentials.error.detail };
    let best: ReadAnswer = NOTHING;
    for (const credential of credentials.value) {
      const { params } = credential;
      const claimed = params.get('realm');
      if (claimed !== undefined && claimed !== realm) continue;
      best = readAnswer(params);
      if (best.kind === 'answer') return best;
    }
    return best;
  }

  #judge(claim: Claim): void {
    const { transaction, answer } = claim;
    if (answer.auth === undefined && !(this.policy.allowRfc2069 && answer.algorithm === 'MD5')) {
      this.#count('malformed');
      this.replies.refuse(transaction, 'badCredentials');
      return;
    }
    if (this.domains.algorithmsOf(answer.realm)?.includes(answer.algorithm) === false) {
      // What is not offered is not taken, or the weakest would always do (RFC 8760 §3).
      this.#challenge(transaction, answer.realm, claim.side, 'none');
      return;
    }
    if (!this.#uriFits(transaction.request, answer.uri)) {
      this.#count('malformed');
      this.replies.refuse(transaction, 'digestUri');
      return;
    }
    const verdict = this.guard.judge(transaction.flow.remote.address, answer.realm, answer.username);
    if (verdict !== 'serve') {
      this.replies.refuse(transaction, verdict);
      return;
    }
    switch (this.nonces.check(answer.nonce, this.clock.now())) {
      case 'forged':
        this.#challenge(transaction, answer.realm, claim.side, 'forged');
        return;
      case 'stale':
        this.#challenge(transaction, answer.realm, claim.side, 'stale');
        return;
      case 'fresh':
    }
    const account = this.users.get(answer.realm, answer.username);
    if (account === undefined) this.#lookUp(claim);
    else {
      this.counters.userHits += 1;
      this.#prove(claim, account);
    }
  }

  #lookUp(claim: Claim): void {
    this.counters.userMisses += 1;
    this.users.load(claim.answer.realm, claim.answer.username, (lookup) => {
      if (lookup === 'unavailable') this.replies.refuse(claim.transaction, 'storeAway');
      else if (lookup === 'overload') this.replies.refuse(claim.transaction, 'overload');
      else this.#prove(claim, lookup);
    });
  }

  #prove(claim: Claim, account: Account): void {
    const { transaction, answer, side } = claim;
    const { user } = account;
    const taken = user?.policy?.algorithms?.includes(answer.algorithm) !== false;
    const ha1 = taken ? user?.ha1[answer.algorithm] : undefined;
    const right = this.verifier.verify(
      answer,
      transaction.request.method,
      ha1 ?? this.#dummies[answer.algorithm],
    );
    const { address } = transaction.flow.remote;
    if (user === undefined || ha1 === undefined || !right) {
      this.guard.wrong(address, answer.realm, answer.username);
      this.#challenge(transaction, answer.realm, side, 'wrong');
      return;
    }
    if (!this.nonces.accept(answer.nonce, answer.auth?.nc)) {
      this.#challenge(transaction, answer.realm, side, 'replayed');
      return;
    }
    this.#count('accepted');
    this.guard.proved(address, answer.realm, answer.username, account.proof);
    this.senders.check(transaction.request, user, (refusal) => {
      if (refusal === undefined) claim.next(transaction, account);
      else this.replies.refuse(transaction, refusal, refusal === 'foreignFrom' ? warning(user) : '');
    });
  }

  /** A phone that has proved itself before is still challenged at an address that is banned for what others do there. */
  #isBanned(transaction: ServerTransaction, realm: string): boolean {
    const { address } = transaction.flow.remote;
    if (!this.guard.suspects(address)) return false;
    const from = transaction.request.from();
    const name = from.ok && from.value.uri.kind === 'sip' ? (from.value.uri.user ?? '') : '';
    const verdict = this.guard.judge(address, realm, name);
    if (verdict === 'serve') return false;
    this.replies.refuse(transaction, verdict);
    return true;
  }

  /** RFC 7616 §3.4.6 wants the two to name the same resource; RFC 8760 §2.6 item 6 lets a server be lenient. */
  #uriFits(request: SipRequest, uri: string): boolean {
    if (uri === request.requestUri) return true;
    const digestUri = parseUri(uri);
    if (!digestUri.ok) return false;
    if (this.policy.digestUri === 'served') {
      return digestUri.value.kind === 'sip' && this.domains.get(digestUri.value.host) !== undefined;
    }
    const requestUri = request.uri();
    return requestUri.ok && uriEquals(digestUri.value, requestUri.value);
  }

  #challenge(transaction: ServerTransaction, realm: string, side: Side, why: DigestOutcome): void {
    this.#count(why);
    const stale = why === 'stale' || why === 'replayed';
    const nonce = this.nonces.issue(this.clock.now());
    this.replies.challenge(transaction, realm, nonce, side, stale, this.domains.algorithmsOf(realm));
  }

  #count(outcome: DigestOutcome): void {
    this.counters.digest[outcome] += 1;
  }
}

/** Whoever has proved to be this user may be told what they are called (RFC 3261 §20.43). */
const warning = ({ aor }: User): string => `Warning: 399 rollcall "From is not ${aor}"\r\n`;

const NOTHING: ReadAnswer = { kind: 'empty' };
