/**
 * Inputs that cost quadratic time in parsers that look back: RED01 to RED12 of the abuse classes. Each is a function of its size,
 * so that tests can show what becomes of it and the bench how its cost grows.
 */
const head = (headers: string): string =>
  'REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKred\r\n' +
  'From: <sip:a@example.test>;tag=1\r\nTo: <sip:a@example.test>\r\nCall-ID: red\r\nCSeq: 1 REGISTER\r\n' +
  `${headers}Content-Length: 0\r\n\r\n`;

export interface Hostile {
  readonly id: string;
  readonly what: string;
  /** Size at which the abuse class is run. */
  readonly size: number;
  readonly make: (size: number) => string;
}

export const HOSTILE: readonly Hostile[] = [
  {
    id: 'RED01',
    what: 'escaped quotes',
    size: 30_000,
    make: (n) => head(`Contact: "${'\\"'.repeat(n)}" <sip:a@b>\r\n`),
  },
  {
    id: 'RED02',
    what: 'semicolons',
    size: 30_000,
    make: (n) => head(`Contact: <sip:a@b>${';'.repeat(n)}\r\n`),
  },
  {
    id: 'RED03',
    what: 'folds',
    size: 10_000,
    make: (n) => head(`Contact: <sip:a@b>${'\r\n '.repeat(n)};x\r\n`),
  },
  {
    id: 'RED04',
    what: 'Contacts',
    size: 3_000,
    make: (n) => head(`Contact: <sip:a@b>${',<sip:a@b>'.repeat(n)}\r\n`),
  },
  {
    id: 'RED05',
    what: 'Vias',
    size: 500,
    make: (n) => head('Via: SIP/2.0/UDP a;branch=z9hG4bKb\r\n'.repeat(n)),
  },
  { id: 'RED06', what: 'headers', size: 5_000, make: (n) => head('X: 1\r\n'.repeat(n)) },
  { id: 'RED07', what: 'colons', size: 20_000, make: (n) => head(`Contact: <sip:a@[${':'.repeat(n)}]>\r\n`) },
  { id: 'RED08', what: '"<"', size: 20_000, make: (n) => head(`Contact: ${'<'.repeat(n)}\r\n`) },
  {
    id: 'RED09',
    what: 'commas',
    size: 30_000,
    make: (n) => head(`Supported: ${','.repeat(n)}\r\nVia: ${','.repeat(n)}\r\n`),
  },
  { id: 'RED10', what: 'digits', size: 10_000, make: (n) => head(`Expires: ${'9'.repeat(n)}\r\n`) },
  { id: 'RED11', what: 'octets of a name', size: 60_000, make: (n) => head(`${'x'.repeat(n)}: 1\r\n`) },
  { id: 'RED12', what: 'CRLF', size: 32_000, make: (n) => '\r\n'.repeat(n) },
];
