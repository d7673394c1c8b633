/**
 * Every metric of Rollcall, so that a dashboard or an alert can be checked against one file. Names follow the
 * Prometheus rules: base units, `_total` on counters. Labels stand behind each name; their values come from
 * closed sets (methods of the IANA registry or `other`, refusal labels, transports), never from a packet.
 */
export const METRICS = {
  /** transport, method */
  sipRequestsReceived: 'rollcall_sip_requests_received_total',
  /** transport, method, status */
  sipResponsesSent: 'rollcall_sip_responses_sent_total',
  /** transport, method */
  sipRequestsSent: 'rollcall_sip_requests_sent_total',
  /** method, status */
  sipResponsesReceived: 'rollcall_sip_responses_received_total',
  /** reason: the label of the refusal table */
  sipRefusals: 'rollcall_sip_refusals_total',
  /** transport, reason: the code of the parse problem */
  sipMalformed: 'rollcall_sip_malformed_total',
  /** transport */
  sipRetransmissionsAbsorbed: 'rollcall_sip_retransmissions_absorbed_total',
  /** transport, direction */
  sipBytes: 'rollcall_sip_bytes_total',
  /** kind: server or client, invite or not */
  sipTransactions: 'rollcall_sip_transactions',
  /** transport */
  sipFlows: 'rollcall_sip_flows',
  /** direction */
  sipConnections: 'rollcall_sip_connections_total',
  /** reason: which bound or rule */
  sipConnectionsRefused: 'rollcall_sip_connections_refused_total',
  /** reason: which bound or rule */
  sipFlowsClosed: 'rollcall_sip_flows_closed_total',
  /** kind: ping (CRLF, WebSocket), stun */
  sipKeepAlives: 'rollcall_sip_keep_alives_total',
  /** session: new, resumed */
  tlsHandshakes: 'rollcall_tls_handshakes_total',
  /** outcome: used, refused */
  tlsReloads: 'rollcall_tls_certificate_changes_total',
  tlsExpiry: 'rollcall_tls_certificate_expiry_timestamp_seconds',
  /** method */
  sipHandlingSeconds: 'rollcall_sip_handling_seconds',
  /** outcome: accepted, wrong, stale, forged, unknown */
  digestOutcomes: 'rollcall_digest_outcomes_total',
  /** reason: guessing, scanning */
  guardBans: 'rollcall_guard_bans_total',
  guardBannedAddresses: 'rollcall_guard_banned_addresses',
  /** Share of new work that is refused, 0 to 1 */
  overload: 'rollcall_overload_ratio',
  /** outcome: asked, refused, woken, silent */
  pushRequests: 'rollcall_push_requests_total',
  /** outcome: kept, full, delivered, failed */
  offlineMessages: 'rollcall_offline_messages_total',
  /** outcome: published, failed */
  dialogPublications: 'rollcall_dialog_publications_total',
  /** outcome: sent, answered, lost */
  qualifyRequests: 'rollcall_qualify_requests_total',
  /** state: reachable, unreachable */
  qualifyBindings: 'rollcall_qualify_bindings',
  qualifySeconds: 'rollcall_qualify_seconds',
  /** Reports of edges to registrars on flows of bindings */
  flowReports: 'rollcall_flow_reports_total',
  /** Flows with proxied requests in progress */
  proxyBusyFlows: 'rollcall_proxy_busy_flows',
  /** result: hit, miss */
  userCache: 'rollcall_user_cache_total',
  userCacheEntries: 'rollcall_user_cache_entries',
  /** target, outcome: response, unavailable, timeout */
  innerRequests: 'rollcall_inner_requests_total',
  innerPending: 'rollcall_inner_pending',
  innerConnections: 'rollcall_inner_connections',
  /** kind: registered, refreshed, expired … (RFC 3680 §3.6) */
  bindingChanges: 'rollcall_binding_changes_total',
  commitConflicts: 'rollcall_commit_conflicts_total',
  sweptBindings: 'rollcall_swept_bindings_total',
  /** event, kind */
  subscriptionChanges: 'rollcall_subscription_changes_total',
  /** event, status: a code that has a name, else its class (`4xx`), or what became of it without an answer */
  notifications: 'rollcall_notifications_total',
  dirtyBacklog: 'rollcall_dirty_backlog',
  /** command */
  storeCommands: 'rollcall_store_commands_total',
  storeErrors: 'rollcall_store_errors_total',
  storeSeconds: 'rollcall_store_seconds',
  storePending: 'rollcall_store_pending',
  storeConnected: 'rollcall_store_connected',
  /** Entries of streams that a later version wrote, read over */
  laterEntries: 'rollcall_stream_later_entries_total',
  /** queue: every bounded map, queue and pool has a size and a limit (invariant 9 of ARCHITECTURE.md) */
  boundSize: 'rollcall_bound_size',
  boundLimit: 'rollcall_bound_limit',
  boundRefusals: 'rollcall_bound_refusals_total',
  /** route, method, status */
  httpRequests: 'rollcall_http_requests_total',
  httpSeconds: 'rollcall_http_seconds',
  httpStreams: 'rollcall_http_streams',
  httpStreamsDropped: 'rollcall_http_streams_dropped_total',
  webhooksRunning: 'rollcall_webhooks_running',
  /** outcome: taken, retried, dead */
  webhookDeliveries: 'rollcall_webhook_deliveries_total',
  webhookGaps: 'rollcall_webhook_gaps_total',
  traceKept: 'rollcall_trace_messages_kept_total',
  traceShare: 'rollcall_trace_share',
  /** outcome: sent, failed */
  hepPackets: 'rollcall_hep_packets_total',
  logLinesLost: 'rollcall_log_lines_lost_total',
  /** version */
  buildInfo: 'rollcall_build_info',
} as const;

/**
 * Span attributes. Where OpenTelemetry's semantic conventions have a name it is used (a test compares them); SIP has
 * none there, so those begin with `sip.`.
 */
export const ATTRIBUTES = {
  networkTransport: 'network.transport',
  networkPeerAddress: 'network.peer.address',
  networkPeerPort: 'network.peer.port',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  dbSystem: 'db.system.name',
  dbOperation: 'db.operation.name',
  errorType: 'error.type',
  httpMethod: 'http.request.method',
  httpRoute: 'http.route',
  httpStatus: 'http.response.status_code',
  sipMethod: 'sip.request.method',
  sipStatus: 'sip.response.status_code',
  sipCallId: 'sip.call_id',
  sipCseq: 'sip.cseq',
  sipEvent: 'sip.event',
  aor: 'rollcall.aor',
  subscription: 'rollcall.subscription.id',
  edge: 'rollcall.edge.id',
  outcome: 'rollcall.outcome',
} as const;

/** Span names: low cardinality, one for each seam. */
export const SPANS = {
  /** Edge: a request from a phone, from packet to answer. */
  edgeRequest: 'sip.edge.request',
  /** Edge: the request handed to an inner service. */
  edgeForward: 'sip.edge.forward',
  /** Edge: a request from inside sent to a phone. */
  edgeDeliver: 'sip.edge.deliver',
  registrarRequest: 'sip.registrar.request',
  presenceRequest: 'sip.presence.request',
  presenceNotify: 'sip.presence.notify',
  storeCommand: 'redis.command',
  adminRequest: 'http.admin.request',
} as const;
