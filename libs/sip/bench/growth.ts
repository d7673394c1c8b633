/**
 * How the cost of hostile input grows: RED01 to RED12, each at its size, twice and four times that.
 *
 *   node --import tsx --conditions=@rollcall/source libs/sip/bench/growth.ts
 *
 * Prints microseconds and the ratio of each doubling, for `read` (parse, check, every typed accessor, response, edit)
 * and `frame` (a stream in chunks of 1460 octets, and one octet at a time). Limits cut most of it short: the rows of `scan` go
 * past them, into the scanners themselves. Exits 1 when four times the input costs more than MAX_GROWTH times as much.
 */
import { StreamFramer, checkRequest, edit, parseMessage, parseUri, respond } from '../src/index.ts';
import { HOSTILE } from '../test/hostile.ts';

/** Linear is 4; the machine and the caches get the rest. */
const MAX_GROWTH = 8;
/** Costs below this are lost in the noise, microseconds. */
const NOISE = 30;

function read(raw: string): void {
  const parsed = parseMessage(raw);
  const message = parsed.ok ? parsed.value : parsed.error.request;
  if (message?.kind !== 'request') return;
  checkRequest(message, { stream: false });
  message.vias();
  message.contacts();
  message.authorization();
  message.expires();
  message.options('supported');
  respond(message, 400);
  edit(message, { dropFirst: ['via'], remove: ['contact'] });
}

function frame(raw: string, size: number): void {
  const framer = new StreamFramer({ maxHeaderBytes: 65536, maxBodyBytes: 65536 });
  for (let at = 0; at < raw.length; at += size) framer.push(raw.slice(at, at + size));
}

const scans: readonly (readonly [string, number, (size: number) => string])[] = [
  ['user', 10_000, (n) => `sip:${'a'.repeat(n)}@b`],
  ['escapes', 5_000, (n) => `sip:${'%41'.repeat(n)}@b`],
  ['labels', 5_000, (n) => `sip:a@${'b.'.repeat(n)}c`],
  ['URI semicolons', 10_000, (n) => `sip:a@b${';'.repeat(n)}`],
  ['URI parameter', 10_000, (n) => `sip:a@b;x=${'y'.repeat(n)}`],
  ['URI headers', 5_000, (n) => `sip:a@b?${'x=y&'.repeat(n)}z=1`],
  ['IPv6 colons', 10_000, (n) => `sip:a@[${':'.repeat(n)}]`],
  ['digits', 10_000, (n) => `sip:a@b:${'1'.repeat(n)}`],
  ['opaque', 10_000, (n) => `x:${'y'.repeat(n)}`],
];

const cpu = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

/** Least CPU microseconds of a few runs. */
function cost(work: () => void): number {
  let least = Infinity;
  for (let round = 0; round < 7; round += 1) {
    const start = cpu();
    let runs = 0;
    do {
      work();
      runs += 1;
    } while (cpu() - start < 5_000);
    least = Math.min(least, (cpu() - start) / runs);
  }
  return least;
}

let steep = 0;
function row(name: string, size: number, work: (size: number) => () => void): void {
  const costs = [1, 2, 4].map((factor) => cost(work(size * factor)));
  const [one = 0, two = 0, four = 0] = costs;
  const bad = four > NOISE && four / one > MAX_GROWTH;
  if (bad) steep += 1;
  const cells = costs.map((value) => value.toFixed(1).padStart(9)).join('');
  console.log(
    `${name.padEnd(34)}${cells} µs   ×${(two / one).toFixed(2)} ×${(four / two).toFixed(2)}${bad ? '   STEEP' : ''}`,
  );
}

for (const { id, what, size, make } of HOSTILE) {
  const sized = (work: (raw: string) => void) => (n: number) => {
    const raw = make(n);
    return () => {
      work(raw);
    };
  };
  row(`read  ${id} ${String(size)} ${what}`, size, sized(read));
  row(`read  ${id} 150 ${what}`, 150, sized(read));
  row(
    `frame ${id} in segments`,
    size,
    sized((raw) => {
      frame(raw, 1460);
    }),
  );
  row(
    `frame ${id} by octets`,
    size / 4,
    sized((raw) => {
      frame(raw, 1);
    }),
  );
}
for (const [what, size, make] of scans) {
  row(`scan  ${what}`, size, (n) => {
    const text = make(n);
    return () => void parseUri(text);
  });
}
if (steep > 0) process.exitCode = 1;
