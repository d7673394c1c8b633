import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { EventPackage } from './packages/package.ts';
import { keyedNames } from './keyed-name.ts';
import { checkRequire, readEvent, readIdentity, readResource } from './read-subscribe.ts';
import type { ReadOptions } from './read-subscribe.ts';
import { refusal } from './refusals.ts';
import type { Refusal } from './refusals.ts';

/** What a PUBLISH asks for (RFC 3903 §4.1). */
export interface PublishIntent {
  readonly resource: Aor;
  readonly package: EventPackage;
  readonly publisher: Aor;
  /** SIP-If-Match; undefined: a first publication. */
  readonly ifMatch: string | undefined;
  /** What is to be stored of the body, undefined when there was none; or why it cannot be. */
  readonly body: Result<string | undefined, Refusal>;
  readonly expires: number | undefined;
  /** The entity-tag that the state will have. */
  readonly etag: string;
}

/**
 * RFC 3903 leaves the size to us (acceptance S26). A state of presence is small; what is composed of all publications of a resource must
 * fit, with the headers, into a message of 64 KiB.
 */
export const MAX_PUBLISHED_OCTETS = 49_152;

const ENTITY_TAG = /^[A-Za-z0-9.!%*_+`'~-]{1,128}$/;

/** Reads a PUBLISH in the order of RFC 3903 §6. */
export function readPublish(
  request: SipRequest,
  options: ReadOptions & { readonly tags: EntityTags },
): Result<PublishIntent, Refusal> {
  const extensions = checkRequire(request);
  if (extensions !== undefined) return err(extensions);
  const resource = readResource(request, options);
  if (!resource.ok) return resource;
  const event = readEvent(request, options.packages);
  if (!event.ok) return event;
  const wanted = event.value.package;
  if (wanted.publication === undefined)
    return err(refusal('bad-event', `Allow-Events: ${options.packages.allowEvents}\r\n`));
  const publisher = readIdentity(request, options);
  if (!publisher.ok) return publisher;
  const condition = request.headers('sip-if-match');
  const [ifMatch, second] = condition;
  if (second !== undefined || (ifMatch !== undefined && !ENTITY_TAG.test(ifMatch)))
    return err(refusal('malformed'));
  const expires = request.expires();
  if (!expires.ok) return err(refusal('malformed'));
  return ok({
    resource: resource.value,
    package: wanted,
    publisher: publisher.value,
    ifMatch,
    body: readBody(request, wanted),
    expires: expires.value,
    etag: options.tags.of(request),
  });
}

function readBody(request: SipRequest, wanted: EventPackage): Result<string | undefined, Refusal> {
  const body = request.body;
  if (body === '' || wanted.publication === undefined) return ok(undefined);
  if (body.length > MAX_PUBLISHED_OCTETS) return err(refusal('body-too-large'));
  const type = mediaType(request);
  if (!wanted.publication.types.includes(type) || isEncoded(request)) {
    return err(
      refusal(
        'unsupported-body',
        `Accept: ${wanted.publication.types.join(', ')}\r\nAccept-Encoding: identity\r\n`,
      ),
    );
  }
  const read = wanted.publication.read(body, type);
  return read.ok ? read : err(refusal('bad-document'));
}

/**
 * What a command in the body of a SUBSCRIBE does to the state of its package; undefined when there is none. A body that the
 * package does not take is refused (RFC 3261 §8.2.3).
 */
export function readCommand(
  request: SipRequest,
  wanted: EventPackage,
): Result<((before: string) => string) | undefined, Refusal> {
  const { body } = request;
  if (body === '' || wanted.command === undefined) return ok(undefined);
  if (body.length > MAX_PUBLISHED_OCTETS) return err(refusal('body-too-large'));
  if (!wanted.command.types.includes(mediaType(request)) || isEncoded(request))
    return err(refusal('unsupported-body', `Accept: ${wanted.command.types.join(', ')}\r\n`));
  const read = wanted.command.read(body);
  return read.ok ? read : err(refusal('bad-document'));
}

const mediaType = (request: SipRequest): string =>
  (request.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
const isEncoded = (request: SipRequest): boolean =>
  (request.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity';

const KEY_LABEL = 'rollcall entity-tag 1';

/**
 * Makes entity-tags (RFC 3903 §6 step 6): a keyed hash of what makes a request one request. Each PUBLISH has another, and the same
 * PUBLISH given to another replica after the first one died has the same, so that it is carried out once.
 */
export class EntityTags {
  readonly #name: (text: string) => string;

  /** `secret` is shared by all replicas. */
  constructor(secret: string) {
    this.#name = keyedNames(secret, KEY_LABEL);
  }

  of(request: SipRequest): string {
    // RFC 3261 §17.2.3: the branch of whoever made the request tells it from all others; what lies above is the way to us.
    const branch = request.headers('via').at(-1) ?? '';
    const name = [
      request.header('call-id'),
      request.header('cseq'),
      branch,
      request.header('sip-if-match'),
      request.body,
    ];
    return this.#name(name.join('\n'));
  }
}
