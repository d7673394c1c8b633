import type { EpochMs, Result } from '@rollcall/kernel';
import type { ChangeKind } from '@rollcall/location';
import type { ResourceChange, ResourceState, StateSource } from '../model.ts';
import type { WatcherChange } from '../watchers.ts';

/** Changes of a resource as they came out of the store. */
export interface News {
  /** Fingerprint of the state that the subscriber was told last, in a document that arrived. */
  readonly after: string;
  /** How many commits the changes are from. */
  readonly commits: number;
  readonly changes: readonly ResourceChange[];
  /** What happened to watchers of the resource. */
  readonly watching?: readonly WatcherChange[];
}

/** What one document is to be. */
export interface DocumentRequest {
  /** One of the package's types. */
  readonly type: string;
  /** Documents sent before on this subscription (RFC 6665 §5.3.2, RFC 3680 §5.1). */
  readonly version: number;
  /** What is known to have happened; without it, and where it leaves a gap, the document tells the full state. */
  readonly news?: News | undefined;
}

/** One state of a resource as a package sees it; made once for all the subscribers that are told of it. */
export interface StateView {
  /** Differs when the state differs in anything that a subscriber is told. */
  readonly fingerprint: string;
  /** The body, octets. */
  write(request: DocumentRequest): string;
  /** Content-Type of that body, where it is not the type that was asked for: a multipart, or a type with parameters. */
  contentType?(request: DocumentRequest): string;
}

/** What a package accepts in PUBLISH. */
export interface PublicationFormat {
  readonly types: readonly [string, ...string[]];
  /** Checks a published body of one of the types and gives what is stored of it, or says what is wrong with it. */
  read(body: string, type: string): Result<string, string>;
  /** What is stored when a publication is modified, where that depends on what it was before. */
  update?(before: string, fresh: string): string;
}

/** What a SUBSCRIBE may carry in its body to change the state that it subscribes to. */
export interface CommandFormat {
  readonly types: readonly [string, ...string[]];
  /** Checks a body and gives what it does to the stored state (empty: none yet), or says what is wrong with it. */
  read(body: string): Result<(before: string) => string, string>;
}

/** An event package (RFC 6665 §5): everything that is particular to one kind of state. */
export interface EventPackage {
  /** As in the Event header; compared octet by octet (§8.2.1). */
  readonly name: string;
  /** Where it is defined. */
  readonly rfc: string;
  /** Media types of its bodies; the first is what no Accept header means (§5.4.5). */
  readonly types: readonly [string, ...string[]];
  /** Seconds granted when the SUBSCRIBE has no Expires (§5.4.4). */
  readonly defaultExpires: number;
  /** Seconds; instead of the limits that hold for packages without their own (§5.4.4). */
  readonly minExpires?: number;
  readonly maxExpires?: number;
  readonly sources: readonly StateSource[];
  /** Changes of bindings that are no change of this state. */
  readonly unmovedBy: ReadonlySet<ChangeKind>;
  /**
   * Its documents tell what has happened, and not the state alone. That a NOTIFY of it has arrived is written down at once then: while
   * one counts as in flight, a change is told by the state after it, and nobody learns what it was.
   */
  readonly tellsChanges?: boolean;
  /** Who may subscribe: any authenticated identity, or the owner of the resource and those with a grant for it. */
  readonly audience: 'anybody' | 'owner';
  /** How it takes publications (RFC 3903 §4); without, PUBLISH is refused. */
  readonly publication?: PublicationFormat;
  /** How it takes commands in the body of a SUBSCRIBE; without, such a body means nothing. */
  readonly command?: CommandFormat;
  view(state: ResourceState, now: EpochMs): StateView;
}
