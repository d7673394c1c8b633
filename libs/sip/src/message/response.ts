import type { LineIndex } from './line-index.ts';
import { SipMessage } from './message.ts';

/** A response (RFC 3261 §7.2). Made by `parseMessage`; immutable. */
export class SipResponse extends SipMessage {
  readonly kind = 'response';
  /** 100 to 699. */
  readonly status: number;
  /** May be ''. */
  readonly reason: string;

  constructor(raw: string, index: LineIndex, status: number, reason: string) {
    super(raw, index);
    this.status = status;
    this.reason = reason;
  }
}
