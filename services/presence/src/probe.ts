import type { SipRequest } from '@rollcall/sip';
import { addProbe, asksForProbe } from '@rollcall/trace';
import type { Reply } from './on-subscribe.ts';

const US_PER_MS = 1000;
/** `SIP/2.0 200`: where the status stands. */
const STATUS_AT = 8;
const STATUS_END = 11;

/** The stopwatch of a request that an edge looks at: what it tells goes into the answer, and no phone sees it. */
export class Probe {
  readonly #began = performance.now();
  #commit: { readonly at: number; readonly took: number } | undefined;
  #conflicts = 0;

  /** Times a commit; the last one is what decided. */
  async commit<T extends { readonly kind: string }>(call: () => Promise<T>): Promise<T> {
    const at = performance.now();
    const outcome = await call();
    this.#commit = { at: at - this.#began, took: performance.now() - at };
    if (outcome.kind === 'conflict' || outcome.kind === 'rules') this.#conflicts += 1;
    return outcome;
  }

  /** The reply with the report in it. */
  around(reply: Reply): Reply {
    return (message, refusal) => {
      const accepted = Number(message.slice(STATUS_AT, STATUS_END)) < 300;
      const commit = this.#commit;
      reply(
        addProbe(message, {
          outcome: !accepted ? (refusal ?? 'refused') : commit === undefined ? 'unchanged' : 'committed',
          ...(commit === undefined
            ? {}
            : { commitAt: commit.at * US_PER_MS, commitTook: commit.took * US_PER_MS }),
          conflicts: this.#conflicts,
          total: (performance.now() - this.#began) * US_PER_MS,
        }),
      );
    };
  }
}

/** The probe of a request that asks for one; nearly all do not. */
export const probeOf = ({ raw }: SipRequest): Probe | undefined =>
  asksForProbe(raw) ? new Probe() : undefined;

/** Makes a commit, timed where somebody looks. */
export const timed = <T extends { readonly kind: string }>(
  probe: Probe | undefined,
  call: () => Promise<T>,
): Promise<T> => (probe === undefined ? call() : probe.commit(call));
