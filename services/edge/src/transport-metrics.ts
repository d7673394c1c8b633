import type { NativeFront } from '@rollcall/sip-net';
import type { METRICS, Metrics, Sample } from '@rollcall/telemetry';

const MS = 1_000;

/** Publishes what the front counts: messages, transactions, flows, and every refusal of a bound. */
export function publishTransport(metrics: Metrics, names: typeof METRICS, front: NativeFront): void {
  publishMessages(metrics, names, front);
  metrics.collect(names.sipFlows, 'Stream connections to phones.', 'gauge', () =>
    labelled('transport', front.flowCounts()),
  );
  metrics.collect(names.sipConnections, 'Stream connections begun, by who began them.', 'counter', () => {
    const { connectionsAccepted, connectionsOpened } = front.counters;
    return labelled('direction', { in: connectionsAccepted, out: connectionsOpened });
  });
  metrics.collect(
    names.sipConnectionsRefused,
    'New connections that did not become flows.',
    'counter',
    () => {
      const { counters } = front;
      return labelled('reason', {
        limit: counters.connectionsRefused,
        proxy: counters.proxyRefused,
        tls: counters.tlsFailed,
        websocket: counters.upgradesRefused,
        timeout: counters.handshakesTimedOut,
      });
    },
  );
  metrics.collect(names.sipFlowsClosed, 'Stream connections that the edge has closed.', 'counter', () => {
    const { counters } = front;
    return labelled('reason', {
      'first-byte': counters.closedIdle,
      'unfinished-message': counters.closedStalled,
      framing: counters.closedFraming,
      'slow-reader': counters.closedSlow,
      silent: counters.closedSilent,
      'not-connected': counters.closedUnconnected,
    });
  });
  metrics.collect(names.sipKeepAlives, 'Keep-alives answered.', 'counter', () =>
    labelled('kind', { ping: front.counters.keepAlives, stun: front.counters.stunAnswered }),
  );
  publishTls(metrics, names, front);
}

function publishTls(metrics: Metrics, names: typeof METRICS, front: NativeFront): void {
  metrics.collect(names.tlsHandshakes, 'TLS handshakes done.', 'counter', () => {
    const { tlsHandshakes, tlsResumed } = front.counters;
    return labelled('session', { new: tlsHandshakes - tlsResumed, resumed: tlsResumed });
  });
  metrics.collect(names.tlsReloads, 'Changed certificate files, taken and not usable.', 'counter', () => {
    const state = front.tlsState();
    return labelled('outcome', { used: state?.reloads ?? 0, refused: state?.failures ?? 0 });
  });
  metrics.collect(names.tlsExpiry, 'When the first certificate ends, seconds since 1970.', 'gauge', () => {
    const expiresAt = front.tlsState()?.expiresAt ?? Infinity;
    return Number.isFinite(expiresAt) ? [{ value: Math.round(expiresAt / MS) }] : [];
  });
}

function publishMessages(metrics: Metrics, names: typeof METRICS, front: NativeFront): void {
  metrics.collect(names.sipMalformed, 'Messages that were no SIP or broke its rules.', 'counter', () => {
    const { malformedRefused, malformedDropped, tooLarge, notSip, closedFraming } = front.counters;
    return labelled('reason', {
      refused: malformedRefused,
      dropped: malformedDropped,
      'too-large': tooLarge,
      'not-sip': notSip,
      framing: closedFraming,
    });
  });
  metrics.collect(
    names.sipRetransmissionsAbsorbed,
    'Retransmissions answered from a transaction.',
    'counter',
    () => [{ value: front.counters.retransmissionsAbsorbed }],
  );
  metrics.collect(names.sipTransactions, 'Transactions by state.', 'gauge', () => {
    const { pending, completed, invites, clients, answered } = front.sizes();
    return labelled('kind', { pending, completed, invites, clients, answered });
  });
}

export function labelled(label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([name, value]) => ({ labels: { [label]: name }, value }));
}
