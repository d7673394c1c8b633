import { load } from '../grammar/octets.ts';
import { readUri } from '../uri/uri.ts';
import type { Uri } from '../uri/uri.ts';
import type { LineIndex } from './line-index.ts';
import { SipMessage } from './message.ts';
import type { Parsed } from './header-fields.ts';

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

  /** The Request-URI; offsets of problems are those in `raw`. */
  uri(): Parsed<Uri> {
    return (this.uriMemo ??= this.readRequestUri());
  }

  private readRequestUri(): Parsed<Uri> {
    load(this.raw);
    const at = this.method.length + 1;
    return readUri(this.raw, at, at + this.requestUri.length);
  }

  protected override isRegister(): boolean {
    return this.method === 'REGISTER';
  }
}
