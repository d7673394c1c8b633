import { err, ok } from '@rollcall/kernel';
import type { Result } from '@rollcall/kernel';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { EventPackage } from './packages/package.ts';
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
  /** What is to be stored of the body; undefined when there was none. */
  readonly body: string | undefined;
  readonly expires: number | undefined;
}

/** RFC 3903 leaves the size to us; a state of presence is small (acceptance S26). */
export const MAX_PUBLISHED_OCTETS = 65_536;

const ENTITY_TAG = /^[A-Za-z0-9.!%*_+`'~-]{1,128}$/;

/** Reads a PUBLISH in the order of RFC 3903 §6. */
export function readPublish(request: SipRequest, options: ReadOptions): Result<PublishIntent, Refusal> {
  const extensions = checkRequire(request);
  if (extensions !== undefined) return err(extensions);
  const resource = readResource(request, options);
  if (!resource.ok) return resource;
  const event = readEvent(request, options.packages);
  if (!event.ok) return event;
  const format = event.value.package.publication;
  if (format === undefined)
    return err(refusal('bad-event', `Allow-Events: ${options.packages.allowEvents}\r\n`));
  const publisher = readIdentity(request, options);
  if (!publisher.ok) return publisher;
  const tags = request.headers('sip-if-match');
  const ifMatch = tags[0];
  if (tags.length > 1 || (ifMatch !== undefined && !ENTITY_TAG.test(ifMatch)))
    return err(refusal('malformed'));
  const expires = request.expires();
  if (!expires.ok) return err(refusal('malformed'));
  const body = readBody(request, event.value.package);
  if (!body.ok) return body;
  return ok({
    resource: resource.value,
    package: event.value.package,
    publisher: publisher.value,
    ifMatch,
    body: body.value,
    expires: expires.value,
  });
}

function readBody(request: SipRequest, wanted: EventPackage): Result<string | undefined, Refusal> {
  const body = request.body;
  if (body === '' || wanted.publication === undefined) return ok(undefined);
  if (body.length > MAX_PUBLISHED_OCTETS) return err(refusal('body-too-large'));
  const type = (request.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const encoded = (request.header('content-encoding') ?? 'identity').toLowerCase() !== 'identity';
  if (!wanted.publication.types.includes(type) || encoded) {
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
