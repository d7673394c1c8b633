import { createHmac } from 'node:crypto';
import type { PushRequest, PushSender } from './proxy/push-waker.ts';
import type { EdgeLog } from './ports.ts';

export interface PushWebhook {
  /** Where requests for push notifications are POSTed; a gateway that speaks to the services of Apple, Google and others. */
  readonly url: string;
  /** Signs what is sent. */
  readonly secret: string;
}

/** RFC 8599 §5.6.2 has no number: the service must have taken the request long before a caller gives up. */
const TIMEOUT_MS = 5_000;
/** Requests on their way at one time. */
const LIMIT = 256;
const KEY_LABEL = 'rollcall push webhook 1';

/**
 * Asks for push notifications by webhook: one POST of JSON for each device, with `Rollcall-Signature: t=<seconds>,v1=<hmac>`, the
 * HMAC-SHA-256 over `<seconds>.<body>` under a key that is derived from the secret of the deployment.
 */
export class WebhookPush implements PushSender {
  readonly #key: Buffer;
  #running = 0;

  constructor(
    private readonly webhook: PushWebhook,
    private readonly log: EdgeLog,
    private readonly now: () => number,
  ) {
    this.#key = pushKey(webhook.secret);
  }

  get running(): number {
    return this.#running;
  }

  send(request: PushRequest, done: (taken: boolean) => void): void {
    if (this.#running >= LIMIT) {
      done(false);
      return;
    }
    this.#running += 1;
    this.#post(JSON.stringify(request)).then(
      (status) => {
        this.#running -= 1;
        const taken = status >= 200 && status < 300;
        if (!taken) this.log.warn({ status, aor: request.aor }, 'the push gateway refused a request');
        done(taken);
      },
      (error: unknown) => {
        this.#running -= 1;
        this.log.warn({ error: String(error), aor: request.aor }, 'the push gateway cannot be reached');
        done(false);
      },
    );
  }

  async #post(body: string): Promise<number> {
    const seconds = Math.floor(this.now() / 1_000).toString();
    const signature = createHmac('sha256', this.#key).update(`${seconds}.${body}`).digest('hex');
    const response = await fetch(this.webhook.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'rollcall-signature': `t=${seconds},v1=${signature}`,
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status;
  }
}

/** The key that signs; a gateway is given its hex form. */
export function pushKey(secret: string): Buffer {
  return createHmac('sha256', secret).update(KEY_LABEL).digest();
}
