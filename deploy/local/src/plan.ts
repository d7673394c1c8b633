/** How many processes of each service; `admin` is always one. */
export interface Replicas {
  readonly edge: number;
  readonly registrar: number;
  readonly presence: number;
}

/** Additions to the environment: of every service, or of one kind. */
export type ExtraEnvironment = Partial<
  Readonly<Record<ServiceKind | 'all', Readonly<Record<string, string>>>>
>;

export interface PlanOptions {
  /** Where SIP and the admin interface listen. */
  readonly host: string;
  /** SIP over UDP and TCP of the first edge; TLS, WS and WSS are on the three ports above. */
  readonly portBase: number;
  /** PEM files of the edges' certificate; without it there is neither TLS nor WSS. */
  readonly certificate?: { readonly certificate: string; readonly key: string };
  readonly replicas: Replicas;
  readonly redisUrl: string;
  readonly secret: string;
  readonly adminToken: string;
  readonly extra?: ExtraEnvironment;
}

export type ServiceKind = 'edge' | 'registrar' | 'presence' | 'admin';

/** One process to start. */
export interface PlannedService {
  readonly kind: ServiceKind;
  /** `edge-1`, `registrar-2`. */
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  readonly opsPort: number;
  /** Ports that must be free before it starts. */
  readonly ports: readonly {
    readonly transport: 'udp' | 'tcp';
    readonly host: string;
    readonly port: number;
  }[];
}

export type SipTransport = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

export interface SipAddress {
  readonly transport: SipTransport;
  readonly host: string;
  readonly port: number;
}

/** What runs where: one place that `npm start` and the tests share. */
export interface Plan {
  readonly services: readonly PlannedService[];
  readonly sip: readonly SipAddress[];
  readonly admin: { readonly url: string; readonly token: string };
}

/** Offsets from the port base: the nine above SIP belong to its other transports. */
const TLS_OFFSET = 1;
const WS_OFFSET = 2;
const WSS_OFFSET = 3;
export const ADMIN_OFFSET = 10;
export const REDIS_OFFSET = 11;
const FIRST_OFFSET = 12;
const INNER_HOST = '127.0.0.1';

/** Gives every process its ports, all of them in the block above `portBase`, and its environment. */
export function planSystem(options: PlanOptions): Plan {
  const { host, portBase, replicas } = options;
  let next = portBase + FIRST_OFFSET;
  const port = () => next++;
  const repeat = <T>(count: number, make: (n: number) => T): T[] =>
    Array.from({ length: count }, (_, index) => make(index + 1));
  const common = (kind: ServiceKind, opsPort: number) => ({
    ...options.extra?.all,
    ...options.extra?.[kind],
    ROLLCALL_REDIS_URL: options.redisUrl,
    ROLLCALL_SECRET: options.secret,
    ROLLCALL_HTTP_HOST: INNER_HOST,
    ROLLCALL_HTTP_PORT: String(opsPort),
  });
  const inner = (kind: 'registrar' | 'presence', n: number): PlannedService & { readonly inner: string } => {
    const [innerPort, opsPort] = [port(), port()];
    return {
      kind,
      name: `${kind}-${n}`,
      opsPort,
      inner: `${INNER_HOST}:${innerPort}`,
      env: {
        ...common(kind, opsPort),
        ROLLCALL_INNER_HOST: INNER_HOST,
        ROLLCALL_INNER_PORT: String(innerPort),
      },
      ports: [tcp(INNER_HOST, innerPort), tcp(INNER_HOST, opsPort)],
    };
  };
  const registrars = repeat(replicas.registrar, (n) => inner('registrar', n));
  const presences = repeat(replicas.presence, (n) => inner('presence', n));
  const edge = (n: number): PlannedService & { readonly sip: readonly SipAddress[] } => {
    const own = (offset: number) => (n === 1 ? portBase + offset : port());
    const sipPort = own(0);
    const [innerPort, opsPort] = [port(), port()];
    const { certificate } = options;
    const secure = (transport: 'tls' | 'wss', offset: number) =>
      certificate === undefined ? [] : [{ transport, host, port: own(offset) }];
    const sip: SipAddress[] = [
      { transport: 'udp', host, port: sipPort },
      { transport: 'tcp', host, port: sipPort },
      ...secure('tls', TLS_OFFSET),
      { transport: 'ws', host, port: own(WS_OFFSET) },
      ...secure('wss', WSS_OFFSET),
    ];
    return {
      kind: 'edge',
      name: `edge-${n}`,
      opsPort,
      sip,
      env: {
        ...common('edge', opsPort),
        ROLLCALL_EDGE_ID: `edge-${n}`,
        // Busy lamps are worth seeing where Rollcall is tried.
        ROLLCALL_DIALOG_STATES: 'true',
        ...Object.fromEntries(
          sip.map((one) => [`ROLLCALL_SIP_${one.transport.toUpperCase()}`, printAddress(one)]),
        ),
        ...(certificate === undefined
          ? undefined
          : { ROLLCALL_TLS_CERTIFICATES: `${certificate.certificate}:${certificate.key}` }),
        ROLLCALL_INNER_HOST: INNER_HOST,
        ROLLCALL_INNER_PORT: String(innerPort),
        ROLLCALL_REGISTRARS: registrars.map((one) => one.inner).join(','),
        ROLLCALL_PRESENCES: presences.map((one) => one.inner).join(','),
      },
      ports: [
        ...sip.map((one) => ({
          ...one,
          transport: one.transport === 'udp' ? one.transport : ('tcp' as const),
        })),
        tcp(INNER_HOST, innerPort),
        tcp(INNER_HOST, opsPort),
      ],
    };
  };
  const edges = repeat(replicas.edge, edge);
  const adminPort = portBase + ADMIN_OFFSET;
  const adminOps = port();
  const admin: PlannedService = {
    kind: 'admin',
    name: 'admin-1',
    opsPort: adminOps,
    env: {
      ...common('admin', adminOps),
      ROLLCALL_ADMIN_HOST: host,
      ROLLCALL_ADMIN_PORT: String(adminPort),
      ROLLCALL_ADMIN_TOKEN: options.adminToken,
      // Who tries webhooks here has the receiver on this machine.
      ROLLCALL_WEBHOOKS_INSIDE: 'true',
    },
    ports: [tcp(host, adminPort), tcp(INNER_HOST, adminOps)],
  };
  return {
    services: [...registrars, ...presences, ...edges, admin],
    sip: edges.flatMap((one) => one.sip),
    admin: {
      url: `http://${printAddress({ host: host === '::' ? '::1' : host, port: adminPort })}`,
      token: options.adminToken,
    },
  };
}

/** `host:port`, an IPv6 host in brackets. */
export const printAddress = ({ host, port }: { host: string; port: number }): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

const tcp = (host: string, port: number) => ({ transport: 'tcp' as const, host, port });
