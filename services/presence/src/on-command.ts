import { decideCommand, readCommand, refusal } from '@rollcall/events';
import type { Refusal, SubscribeIntent, Subscription } from '@rollcall/events';
import type { Aor } from '@rollcall/location';
import type { SipRequest } from '@rollcall/sip';
import type { Lanes } from './lanes.ts';
import type { EventStore } from './ports.ts';

export interface CommandDeps {
  readonly store: EventStore;
  readonly lanes: Lanes;
  readonly currentTrace: () => string | undefined;
}

const MAX_TRIES = 5;

/** Commands in the body of a SUBSCRIBE (`CommandFormat`): they set what the package then tells all subscribers. */
export class OnCommand {
  constructor(private readonly deps: CommandDeps) {}

  /**
   * Carries out what the body says, before the SUBSCRIBE itself, whose NOTIFY then tells of it. `current` is the subscription of a
   * request inside a dialog. Undefined when there was nothing to do or it is done. Throws `StoreUnavailable`.
   */
  async handle(
    request: SipRequest,
    intent: SubscribeIntent,
    current: Subscription | undefined,
  ): Promise<Refusal | undefined> {
    const command = readCommand(request, intent.package);
    if (!command.ok) return command.error;
    const { value } = command;
    if (value === undefined) return undefined;
    const resource = intent.dialog === undefined ? intent.resource : resourceOf(intent, current);
    // What is wrong with the dialog, the SUBSCRIBE itself is told.
    if (resource === undefined) return undefined;
    return this.deps.lanes.run(resource, () => this.#carryOut(resource, intent.package.name, value));
  }

  async #carryOut(
    resource: Aor,
    name: string,
    command: (before: string) => string,
  ): Promise<Refusal | undefined> {
    const { store, currentTrace } = this.deps;
    let known = await store.readPublications(resource);
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const { publications, changed } = decideCommand(name, command, known);
      if (!changed) return undefined;
      const outcome = await store.commitPublications({
        resource,
        expectedVersion: known.version,
        publications,
        changed,
        packages: [name],
        trace: currentTrace(),
      });
      if (outcome.kind === 'committed') return undefined;
      known = outcome.current;
    }
    return refusal('contended');
  }
}

/** The resource of the dialog, if the request is of its subscriber. */
function resourceOf(intent: SubscribeIntent, current: Subscription | undefined): Aor | undefined {
  if (current === undefined || current.callId !== intent.callId) return undefined;
  const same = current.watcher === intent.watcher && current.remoteTag === intent.remoteTag;
  return same && current.package === intent.package.name ? current.resource : undefined;
}
