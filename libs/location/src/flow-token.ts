import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a flow token names: the edge, the run of its process, the flow inside it (RFC 5626 §5.2). */
export interface FlowRef {
  readonly edge: string;
  /** Grows with every start of the edge; flows of an earlier epoch are gone, UDP flows excepted. */
  readonly epoch: number;
  readonly flow: string;
}

/** What parts are joined with: `mark` of RFC 3261 §25.1, so a token stands in a user part without escapes. */
const JOINT = '~';
const PART = /^[A-Za-z0-9._-]+$/;
const EPOCH_RADIX = 36;
/** 96 bits; RFC 2104 §5 wants no less than 80 and half of the hash, which for a token that is checked online is plenty. */
const MAC_BYTES = 12;
const MAC_CHARS = (MAC_BYTES * 8) / 6;
const KEY_LABEL = 'rollcall flow token 1';

/** Signs and verifies the user part of the Path and Record-Route URIs that the edge adds: `edge~epoch~flow~mac`. */
export class FlowTokens {
  readonly #key: Buffer;

  /** `secret` is shared by all edges; the key is derived from it, so other uses of the secret give nothing away. */
  constructor(secret: string) {
    this.#key = createHmac('sha256', secret).update(KEY_LABEL).digest();
  }

  /** Throws RangeError when an edge or flow id has a character that is not a letter, digit, `.`, `_` or `-`. */
  sign(ref: FlowRef): string {
    if (!PART.test(ref.edge) || !PART.test(ref.flow)) {
      throw new RangeError(`not fit for a flow token: edge ${ref.edge}, flow ${ref.flow}`);
    }
    const body = ref.edge + JOINT + ref.epoch.toString(EPOCH_RADIX) + JOINT + ref.flow;
    return body + JOINT + this.#mac(body);
  }

  /** What the token names, or undefined when it is not one of ours or has been changed. */
  verify(token: string): FlowRef | undefined {
    const ref = readFlowToken(token);
    if (ref === undefined) return undefined;
    const at = token.length - MAC_CHARS;
    const wanted = Buffer.from(this.#mac(token.slice(0, at - 1)), 'latin1');
    return timingSafeEqual(wanted, Buffer.from(token.slice(at), 'latin1')) ? ref : undefined;
  }

  #mac(body: string): string {
    return createHmac('sha256', this.#key).update(body, 'latin1').digest('base64url').slice(0, MAC_CHARS);
  }
}

/**
 * What a token says, unverified: for inner services that only ask which edge is meant. Undefined when it has not the form of
 * a token.
 */
export function readFlowToken(token: string): FlowRef | undefined {
  const first = token.indexOf(JOINT);
  const second = token.indexOf(JOINT, first + 1);
  const third = token.indexOf(JOINT, second + 1);
  if (first < 1 || second < 0 || third < 0 || token.length - third - 1 !== MAC_CHARS) return undefined;
  const edge = token.slice(0, first);
  const epoch = readEpoch(token.slice(first + 1, second));
  const flow = token.slice(second + 1, third);
  if (epoch === undefined || !PART.test(edge) || !PART.test(flow)) return undefined;
  return PART.test(token.slice(third + 1)) ? { edge, epoch, flow } : undefined;
}

function readEpoch(text: string): number | undefined {
  const epoch = Number.parseInt(text, EPOCH_RADIX);
  return Number.isSafeInteger(epoch) && epoch.toString(EPOCH_RADIX) === text ? epoch : undefined;
}
