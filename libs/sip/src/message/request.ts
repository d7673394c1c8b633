import { readUri } from '../uri/uri.ts';
import type { Uri } from '../uri/uri.ts';
import type { LineIndex } from './line-index.ts';
import { SipMessage } from './message.ts';
import type { Parsed } from './message.ts';

/** A request (RFC 3261 §7.1). Made by `parseMessage`; immutable. */
export class SipRequest extends SipMessage {
  readonly kind = 'request';
  readonly method: string;
  readonly requestUri: string;
  private uriMemo: Parsed<Uri> | undefined = undefined;

  constructor(raw: string, index: LineIndex, method: string, requestUri: string) {
    super(raw, index);
    this.method = method;
    this.requestUri = requestUri;
  }

  /** The Request-URI; problem offsets count from its start. */
  uri(): Parsed<Uri> {
    return (this.uriMemo ??= readUri(this.requestUri, 0, this.requestUri.length));
  }

  protected override isRegister(): boolean {
    return this.method === 'REGISTER';
  }
}
