import type { Binding } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Account, Phone, TestSystem } from '@rollcall/testkit';

const EXPIRES_S = 3600;
/** How often each watcher refreshes: well within the run, so that an edge that came back learns where it is (RFC 6665 §4.1.2.2). */
export const REFRESH_MS = 5000;

/** One subscription to the presence of an AoR, watched for what a phone would notice. */
class Watcher {
  lost = 0;
  /** NOTIFYs whose CSeq did not rise: `sip:u00001@example.test: 7 after 8`. */
  backwards: string[] = [];
  #to = '';
  #contact = '';
  readonly #callId: string;
  #busy = false;

  constructor(
    readonly phone: Phone,
    readonly aor: string,
    n: number,
  ) {
    this.#callId = `watch-${n}@chaos`;
  }

  async subscribe(): Promise<void> {
    const headers = this.#headers();
    const response = await this.phone.request('SUBSCRIBE', {
      uri: this.aor,
      to: `<${this.aor}>`,
      callId: this.#callId,
      headers,
    });
    if (response.status !== 200) throw new Error(`SUBSCRIBE to ${this.aor}: ${response.status}`);
    this.#to = response.header('to') ?? '';
    this.#contact = /<([^>]+)>/.exec(response.header('contact') ?? '')?.[1] ?? '';
  }

  /** Refreshes in the dialog. Whoever gets 481 had a subscription that was acknowledged and is gone. */
  async refresh(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      const response = await this.phone.request('SUBSCRIBE', {
        uri: this.#contact,
        to: this.#to,
        callId: this.#callId,
        headers: this.#headers(),
      });
      if (response.status === 481) {
        this.lost += 1;
        await this.subscribe();
      }
    } catch {
      // no answer while something is down: the next refresh will do
    } finally {
      this.#busy = false;
    }
  }

  /** The latest NOTIFY of the dialog; notes whether CSeqs only rose. */
  last(): SipRequest | undefined {
    let highest = 0;
    let last: SipRequest | undefined;
    this.backwards = [];
    for (const notify of this.phone.notifies) {
      if (notify.header('call-id') !== this.#callId) continue;
      const cseq = notify.cseq();
      const seq = cseq.ok ? cseq.value.seq : 0;
      if (this.lost === 0 && seq <= highest) this.backwards.push(`${this.aor}: ${seq} after ${highest}`);
      highest = Math.max(highest, seq);
      last = notify;
    }
    return last;
  }

  #headers(): string[] {
    return [
      'Event: presence',
      'Accept: application/pidf+xml',
      `Contact: <${this.phone.contact}>`,
      `Expires: ${EXPIRES_S}`,
    ];
  }
}

/** What PIDF says of an AoR: how many of its devices are open (RFC 3863 §4.1.4). */
const openIn = (notify: SipRequest | undefined): number =>
  [...(notify?.body ?? '').matchAll(/<(?:\w+:)?basic>open</g)].length;

export interface WatchFindings {
  /** Acknowledged subscriptions that a refresh met with 481. */
  readonly lost: number;
  /** NOTIFYs whose CSeq did not rise, each with the one before it. */
  readonly backwards: readonly string[];
  /** Watchers whose latest NOTIFY is not the state. */
  readonly stale: readonly string[];
  readonly notifies: number;
}

/** Watchers of the first AoRs of a run, each a phone of its own on one of the edges. */
export class Watchers {
  readonly #watchers: Watcher[] = [];
  #timer: NodeJS.Timeout | undefined;

  async start(
    system: Pick<TestSystem, 'phone' | 'domain'>,
    accounts: readonly Account[],
    edges: number,
    refreshMs = REFRESH_MS,
  ): Promise<void> {
    for (const [n, account] of accounts.entries()) {
      const phone = await system.phone(account, { edge: (n % edges) + 1, algorithms: ['MD5'] });
      const watcher = new Watcher(phone, `sip:${account.user}@${system.domain}`, n);
      await watcher.subscribe();
      this.#watchers.push(watcher);
    }
    let next = 0;
    this.#timer = setInterval(() => {
      const watcher = this.#watchers[next++ % this.#watchers.length];
      void watcher?.refresh();
    }, refreshMs / this.#watchers.length);
  }

  get aors(): string[] {
    return this.#watchers.map(({ aor }) => aor);
  }

  /** Compares the latest NOTIFYs with the bindings as stored. */
  compare(stored: ReadonlyMap<string, readonly Binding[]>): WatchFindings {
    const stale: string[] = [];
    let notifies = 0;
    for (const watcher of this.#watchers) {
      const told = openIn(watcher.last());
      const true_ = stored.get(watcher.aor)?.length ?? 0;
      // An AoR without a device has one closed tuple, or none.
      if (told !== true_) stale.push(`${watcher.aor}: told ${told}, is ${true_}`);
      notifies += watcher.phone.notifies.length;
    }
    const lost = this.#watchers.reduce((total, watcher) => total + watcher.lost, 0);
    const backwards = this.#watchers.flatMap((watcher) => watcher.backwards);
    return { lost, backwards, stale, notifies };
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
