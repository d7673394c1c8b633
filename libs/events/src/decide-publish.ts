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
}

export type PublishDecision =
  | {
      readonly kind: 'store';
      readonly publications: readonly Publication[];
      readonly changed: boolean;
      readonly etag: string;
      readonly expires: number;
    }
  | { readonly kind: 'refuse'; readonly refusal: Refusal };

const refuse = (reason: Refusal): PublishDecision => ({ kind: 'refuse', refusal: reason });

/** What becomes of a PUBLISH (RFC 3903 §6 steps 3 to 6). `etag` is a fresh entity-tag. */
export function decidePublish(
  intent: PublishIntent,
  current: PublicationSet,
  policy: PublishPolicy,
  now: EpochMs,
  etag: string,
): PublishDecision {
  const alive = current.publications.filter((each) => each.expiresAt > now);
  const matched = intent.ifMatch === undefined ? undefined : alive.find((each) => matches(intent, each));
  if (intent.ifMatch !== undefined && matched === undefined) return refuse(refusal('precondition-failed'));
  const asked = intent.expires ?? intent.package.defaultExpires;
  if (asked > 0 && asked < policy.minExpires) {
    return refuse(refusal('interval-too-brief', `Min-Expires: ${policy.minExpires}\r\n`));
  }
  const body = intent.body ?? matched?.body;
  if (body === undefined) return refuse(refusal('empty-publication'));
  const expires = Math.min(asked, policy.maxExpires);
  const fresh: Publication = {
    etag,
    package: intent.package.name,
    expiresAt: epochMs(now + expires * 1000),
    body,
  };
  const publications = placed(alive, matched, expires === 0 ? undefined : fresh);
  if (publications.length > policy.maxPublications) return refuse(refusal('not-allowed'));
  const changed = alive.length !== current.publications.length || expires === 0 || matched?.body !== body;
  return { kind: 'store', publications, changed, etag, expires };
}

const matches = (intent: PublishIntent, publication: Publication): boolean =>
  publication.etag === intent.ifMatch && publication.package === intent.package.name;

/** The new publication in the place of the one it replaces, so that the order that watchers see stays. */
function placed(
  alive: readonly Publication[],
  matched: Publication | undefined,
  fresh: Publication | undefined,
): readonly Publication[] {
  if (matched === undefined) return fresh === undefined ? alive : [...alive, fresh];
  return alive.flatMap((each) => (each !== matched ? [each] : fresh === undefined ? [] : [fresh]));
}
