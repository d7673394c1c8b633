import { epochMs } from '@rollcall/kernel';
import type { EpochMs } from '@rollcall/kernel';
import type { Publication, PublicationSet } from './model.ts';
import type { PublishIntent } from './read-publish.ts';
import { refusal } from './refusals.ts';
import type { Refusal } from './refusals.ts';

export interface PublishPolicy {
  /** Seconds. */
  readonly minExpires: number;
  readonly maxExpires: number;
  /** Most publications of one resource: each device has one or a few. */
  readonly maxPublications: number;
  /** Most octets that the publications of one resource take together: what is composed of them must fit into a message. */
  readonly maxOctets: number;
}

export type PublishDecision =
  | {
      readonly kind: 'store';
      readonly publications: readonly Publication[];
      readonly changed: boolean;
      /** The packages that have other publications than before. */
      readonly packages: readonly string[];
      readonly etag: string;
      readonly expires: number;
    }
  /** The same request again, by way of another replica: the same answer, nothing changes. */
  | { readonly kind: 'repeat'; readonly etag: string; readonly expires: number }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

const refuse = (reason: Refusal): PublishDecision => ({ kind: 'refuse', refusal: reason });

/** What becomes of a PUBLISH (RFC 3903 §6 steps 3 to 6). */
export function decidePublish(
  intent: PublishIntent,
  current: PublicationSet,
  policy: PublishPolicy,
  now: EpochMs,
): PublishDecision {
  const { etag, ifMatch, package: wanted } = intent;
  const own = (each: Publication): boolean => each.package === wanted.name;
  const isAlive = (each: Publication): boolean => each.expiresAt > now;
  const alive = current.publications.every(isAlive)
    ? current.publications
    : current.publications.filter(isAlive);
  const done = alive.find((each) => own(each) && each.etag === etag);
  if (done !== undefined)
    return { kind: 'repeat', etag, expires: Math.max(1, Math.round((done.expiresAt - now) / 1000)) };
  const matched =
    ifMatch === undefined ? undefined : alive.find((each) => own(each) && each.etag === ifMatch);
  if (ifMatch !== undefined && matched === undefined) return refuse(refusal('precondition-failed'));
  const { defaultExpires, minExpires = policy.minExpires, maxExpires = policy.maxExpires } = wanted;
  const asked = intent.expires ?? defaultExpires;
  if (asked > 0 && asked < minExpires) {
    return refuse(refusal('interval-too-brief', `Min-Expires: ${minExpires}\r\n`));
  }
  if (!intent.body.ok) return refuse(intent.body.error);
  const body = nextBody(intent, matched, intent.body.value);
  if (body === undefined) return refuse(refusal('empty-publication'));
  const expires = Math.min(asked, maxExpires);
  const expiresAt = epochMs(now + expires * 1000);
  const fresh = expires === 0 ? undefined : { etag, package: wanted.name, expiresAt, body };
  const publications = placed(alive, matched, fresh);
  if (exceeds(publications, alive, policy)) return refuse(refusal('publications-full'));
  const packages = changedPackages(current.publications, alive);
  if (matched?.body !== fresh?.body) packages.add(wanted.name);
  return { kind: 'store', publications, changed: packages.size > 0, packages: [...packages], etag, expires };
}

/** A refresh keeps the body (RFC 3903 §4.4); a modification may depend on what was there. */
function nextBody(
  { package: wanted }: PublishIntent,
  matched: Publication | undefined,
  sent: string | undefined,
): string | undefined {
  if (sent === undefined) return matched?.body;
  return matched === undefined ? sent : (wanted.publication?.update?.(matched.body, sent) ?? sent);
}

/** The new publication in the place of the one it replaces, so that the order that watchers see stays. */
function placed(
  alive: readonly Publication[],
  matched: Publication | undefined,
  fresh: Publication | undefined,
): readonly Publication[] {
  if (matched === undefined) return fresh === undefined ? alive : [...alive, fresh];
  return alive.flatMap((each) => (each !== matched ? [each] : fresh === undefined ? [] : [fresh]));
}

/** True when there would be too much, and more than there is now: less is always welcome. */
function exceeds(
  next: readonly Publication[],
  before: readonly Publication[],
  { maxPublications, maxOctets }: PublishPolicy,
): boolean {
  const octets = sizeOf(next);
  return (
    (next.length > maxPublications && next.length > before.length) ||
    (octets > maxOctets && octets > sizeOf(before))
  );
}

const sizeOf = (publications: readonly Publication[]): number =>
  publications.reduce((sum, { body }) => sum + body.length, 0);

/** The packages of publications that have expired and are taken out with this commit. */
const changedPackages = (before: readonly Publication[], alive: readonly Publication[]): Set<string> =>
  new Set(alive === before ? [] : before.filter((each) => !alive.includes(each)).map((each) => each.package));

/** Of a state that is set and not published (RFC 3903 speaks of soft state only): until 2049, far below what a record can say. */
const LASTING = epochMs(2_500_000_000_000);

/** The publications of a resource after a command has set the lasting state of a package. */
export function decideCommand(
  name: string,
  command: (before: string) => string,
  { publications }: PublicationSet,
): { readonly publications: readonly Publication[]; readonly changed: boolean } {
  const known = publications.find((each) => each.package === name);
  const body = command(known?.body ?? '');
  const others = publications.filter((each) => each !== known);
  const next = { etag: name, package: name, expiresAt: LASTING, body };
  return { publications: [...others, next], changed: known?.body !== body };
}
