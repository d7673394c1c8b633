import { sameInstance } from '@rollcall/location';
import type { Binding } from '@rollcall/location';
import { parseUri, uriEquals } from '@rollcall/sip';
import type { ContactIntent } from './read-register.ts';

/**
 * Index of the binding that a Contact of a request is about, or -1.
 *
 * By URI (RFC 3261 §10.3 step 7, §19.1.4), and by device: a Contact with an instance stands for the binding of the same
 * instance and reg-id (RFC 5626 §6), also when the device has come back from another address. A device without outbound
 * that names its instance is held to the same rule, so that a phone on a new port replaces its old binding instead of
 * leaving it to ring nobody. Two exceptions keep that harmless: a removal is by URI, because phones remove an old address
 * of theirs beside the new one; and one request never replaces by instance what it has itself put in place. `byFlow`: RFC 5626 §6
 * applies, so that the URI of a Contact with a reg-id is not used for comparison, be it a removal or not.
 */
export function matchBinding(
  bindings: readonly Binding[],
  contact: ContactIntent,
  removal: boolean,
  byFlow: boolean,
  touched: readonly string[],
): number {
  const byInstance = contact.instance === undefined ? -1 : instanceIndex(bindings, contact, touched);
  if (byFlow && contact.regId !== undefined) return byInstance;
  const byUri = uriIndex(bindings, contact);
  return byUri >= 0 || removal ? byUri : byInstance;
}

function instanceIndex(
  bindings: readonly Binding[],
  contact: ContactIntent,
  touched: readonly string[],
): number {
  const { instance = '' } = contact;
  return bindings.findIndex(
    (binding) =>
      binding.instance !== undefined &&
      sameInstance(binding.instance, instance) &&
      binding.regId === contact.regId &&
      !touched.includes(binding.id),
  );
}

/** The same octets first, because equality under §19.1.4 is not transitive; then the first that is equal. */
function uriIndex(bindings: readonly Binding[], contact: ContactIntent): number {
  for (let index = 0; index < bindings.length; index++) {
    if (bindings[index]?.contact === contact.contact) return index;
  }
  return bindings.findIndex((binding) => {
    const uri = parseUri(binding.contact);
    return uri.ok && uriEquals(uri.value, contact.uri);
  });
}
