import { randomFillSync } from 'node:crypto';
import { base36 } from '@rollcall/kernel';
import { MAGIC_COOKIE, viaFrom } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';
import type { Flow } from '@rollcall/sip-transaction';
import { hostPort } from './flow-names.ts';

/** RFC 3261 §16.6 step 3: what a request without Max-Forwards gets. */
const DEFAULT_MAX_FORWARDS = 70;
const POOL_OCTETS = 6 * 1024;
/** 48 random bits: nobody off the path guesses a branch and answers in another's name. */
const BRANCH_RANDOM = 8;

let pool = '';
let at = 0;
let serial = 0;

/** A branch that is unique in space and time (RFC 3261 §8.1.1.7). */
export function newBranch(): string {
  if (at + BRANCH_RANDOM > pool.length) {
    pool = randomFillSync(Buffer.allocUnsafe(POOL_OCTETS)).toString('base64url');
    at = 0;
  }
  at += BRANCH_RANDOM;
  serial = (serial + 1) % Number.MAX_SAFE_INTEGER;
  return MAGIC_COOKIE + pool.slice(at - BRANCH_RANDOM, at) + base36(serial);
}

/** Our Via on a flow to the outside; `rport` because the answer must come back through whatever maps our address (RFC 3581 §3). */
export function outerVia(flow: Flow, branch: string): string {
  const rport = flow.transport === 'udp' ? ';rport' : '';
  return `Via: SIP/2.0/${flow.transport.toUpperCase()} ${hostPort(flow.advertised)};branch=${branch}${rport}\r\n`;
}

/** The Max-Forwards that a forwarded request carries (RFC 3261 §16.6 step 3). The caller has refused 0. */
export function nextMaxForwards(request: SipRequest): number {
  const maxForwards = request.maxForwards();
  return maxForwards.ok && maxForwards.value !== undefined ? maxForwards.value - 1 : DEFAULT_MAX_FORWARDS;
}

/** The top Via of a request with what its source really is (RFC 3261 §18.2.1, RFC 3581 §4). */
export function viaWithSource(request: SipRequest, flow: Flow): string | undefined {
  const via = request.topVia();
  return via.ok ? viaFrom(via.value, flow.remote.address, flow.remote.port) : undefined;
}
