import { randomBytes } from 'node:crypto';
import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { Subscription, SubscriptionId } from '../model.ts';

/** An AoR that no other test uses. */
export const freshResource = (): Aor => `sip:${randomBytes(8).toString('hex')}@example.test` as Aor;

/** A settled subscription to `resource` for an hour, in `shard`. */
export function sampleSubscription(
  resource: Aor,
  shard: number,
  now: EpochMs,
  change: Partial<Subscription> = {},
): Subscription {
  return {
    id: `${shard}.${randomBytes(12).toString('base64url')}` as SubscriptionId,
    resource,
    package: 'presence',
    eventId: '',
    watcher: 'sip:watcher@example.test',
    callId: `${randomBytes(6).toString('hex')}@192.0.2.1`,
    remoteTag: 'f1',
    remoteUri: 'sip:watcher@example.test',
    localUri: resource,
    remoteTarget: 'sip:watcher@192.0.2.1:5060',
    route: ['<sip:e1~k~u0-c0000201-5060~AAAAAAAAAAAAAAAA@198.51.100.1:5060;lr>'],
    localTarget: `sip:x@198.51.100.1:5060`,
    remoteCseq: 1,
    localCseq: 100,
    accept: 'application/pidf+xml',
    expiresAt: epochMs(now + 3_600_000),
    delivery: 'settled',
    until: now,
    failures: 0,
    sent: '',
    documents: 0,
    access: 'active',
    reason: 'timeout',
    retryAfter: 0,
    createdAt: now,
    minInterval: 0,
    notifiedAt: now,
    answered: 0,
    quenched: false,
    list: undefined,
    ...change,
  };
}
