import { Params } from '@rollcall/sip';
import type { SipRequest } from '@rollcall/sip';

/** The features that one value of Accept-Contact or Reject-Contact asks for, or that a Contact declares (RFC 3840 §5). */
type Features = ReadonlyMap<string, string | undefined>;

interface Wanted {
  readonly features: Features;
  readonly require: boolean;
  readonly explicit: boolean;
}

/** What a caller wants of the devices that are tried, and of the way they are tried (RFC 3841). */
export interface CallerPreferences {
  readonly accept: readonly Wanted[];
  readonly reject: readonly Features[];
  /** Whether `accept` was spoken out; what a request merely implies rules devices out but ranks none before another. */
  readonly ranks: boolean;
  /** `no-fork`: one device only (RFC 3841 §9.1). */
  readonly fork: boolean;
  /** `sequential`: one after the other. */
  readonly parallel: boolean;
}

/** A device with how well it fits, 0 to 1. */
export interface Fit<T> {
  readonly one: T;
  readonly score: number;
}

/** The base tags of RFC 3840 §9: written without `+` in a Contact. All others begin with `+`. */
const BASE_TAGS = new Set([
  'audio',
  'automata',
  'class',
  'duplex',
  'data',
  'control',
  'mobility',
  'description',
  'events',
  'priority',
  'methods',
  'extensions',
  'schemes',
  'application',
  'video',
  'language',
  'type',
  'isfocus',
  'actor',
  'text',
]);
/** Names a device and describes nothing that it can do (RFC 5626 §4.1). */
const NO_FEATURES = new Set(['+sip.instance', '+sip.pnsreg']);
/** RFC 3840 §9: a parameter without a value means TRUE. */
const TRUE = 'TRUE';

/** Reads what the caller says; headers that make no sense say nothing (RFC 3841 §7.1). */
export function readPreferences(request: SipRequest): CallerPreferences {
  const accept = wantedOf(request.headers('accept-contact'));
  const reject = wantedOf(request.headers('reject-contact')).map(({ features }) => features);
  const disposition = new Set(
    request
      .headers('request-disposition')
      .flatMap((value) => value.toLowerCase().split(','))
      .map((directive) => directive.trim()),
  );
  const spoken = accept.length > 0 || reject.length > 0;
  return {
    accept: spoken ? accept : [impliedBy(request)],
    reject,
    ranks: accept.length > 0,
    fork: !disposition.has('no-fork'),
    parallel: !disposition.has('sequential'),
  };
}

/** RFC 3841 §7.2.2: a request that names no preference wants a device that takes its method and its event package. */
function impliedBy(request: SipRequest): Wanted {
  const features = new Map<string, string | undefined>([['methods', request.method]]);
  const event = request.has('event') ? request.event() : undefined;
  if (event?.ok === true && event.value !== undefined) features.set('events', event.value.package);
  return { features, require: true, explicit: false };
}

/** Those that may be tried, each with its score (RFC 3841 §7.2.4); `paramsOf` gives the Contact parameters as registered. */
export function fitting<T>(
  candidates: readonly T[],
  paramsOf: (one: T) => string,
  preferences: CallerPreferences,
): Fit<T>[] {
  const fits: Fit<T>[] = [];
  for (const one of candidates) {
    const score = scoreOf(capabilities(paramsOf(one)), preferences);
    if (score !== undefined) fits.push({ one, score: preferences.ranks ? score : 1 });
  }
  return fits;
}

/** Undefined when the device is ruled out. One that declares nothing is immune: it fits whatever is asked. */
function scoreOf(declared: Features, { accept, reject }: CallerPreferences): number | undefined {
  if (declared.size === 0) return 1;
  // "contact predicate contains a term for every feature tag of the reject predicate, and they match" (§7.2.4)
  for (const unwanted of reject) {
    const { matched, present, total } = compare(unwanted, declared);
    if (matched && present === total && total > 0) return undefined;
  }
  if (accept.length === 0) return 1;
  let sum = 0;
  for (const wanted of accept) {
    const { matched, present, total } = compare(wanted.features, declared);
    const share = matched ? (total === 0 ? 1 : present / total) : 0;
    const fits = matched && (!wanted.explicit || share === 1);
    if (!fits && wanted.require) return undefined;
    sum += fits ? share : 0;
  }
  return sum / accept.length;
}

/** `present`: terms whose tag the device declares. A tag that it does not declare contradicts nothing. */
function compare(wanted: Features, declared: Features): { matched: boolean; present: number; total: number } {
  let present = 0;
  for (const [tag, value] of wanted) {
    if (!declared.has(tag)) continue;
    if (!overlaps(value ?? TRUE, declared.get(tag) ?? TRUE))
      return { matched: false, present, total: wanted.size };
    present += 1;
  }
  return { matched: true, present, total: wanted.size };
}

/** RFC 3840 §9: a value is a list of alternatives; the two overlap when one of them satisfies both. */
function overlaps(wanted: string, declared: string): boolean {
  const have = alternatives(declared);
  return alternatives(wanted).some((want) => have.some((one) => agree(want, one)));
}

const alternatives = (value: string): string[] => value.split(',').map((one) => one.trim());

function agree(want: string, have: string): boolean {
  if (want.startsWith('!')) return have.startsWith('!') || !agree(want.slice(1), have);
  if (have.startsWith('!')) return !agree(want, have.slice(1));
  if (want.startsWith('#') && have.startsWith('#')) return rangesMeet(rangeOf(want), rangeOf(have));
  // String values in <> are compared with case, tokens without (RFC 3840 §9).
  return want.startsWith('<') ? want === have : want.toLowerCase() === have.toLowerCase();
}

type Range = readonly [from: number, to: number];

/** numeric = "#" numeric-relation number (RFC 3840 §9): `#>=5`, `#<=5`, `#=5`, `#1:5`. */
function rangeOf(text: string): Range {
  const parts = /^#(?:(>=|<=|=)([\d.+-]+)|([\d.+-]+):([\d.+-]+))$/.exec(text);
  if (parts === null) return [NaN, NaN];
  const [, relation, number, from, to] = parts;
  if (relation === undefined) return [Number(from), Number(to)];
  const bound = Number(number);
  return [relation === '<=' ? -Infinity : bound, relation === '>=' ? Infinity : bound];
}

const rangesMeet = (a: Range, b: Range): boolean => a[0] <= b[1] && b[0] <= a[1];

function wantedOf(values: readonly string[]): Wanted[] {
  return values.flatMap(splitValues).flatMap((value) => {
    const semi = value.indexOf(';');
    if (!value.startsWith('*') || semi < 0) return [];
    const params = new Params(value.slice(semi));
    const features = featuresOf(params);
    const wanted = { features, require: params.has('require'), explicit: params.has('explicit') };
    return features.size === 0 ? [] : [wanted];
  });
}

function capabilities(params: string): Features {
  return params === '' ? NOTHING : featuresOf(new Params(params));
}

const NOTHING: Features = new Map();

function featuresOf(params: Features): Features {
  const features = new Map<string, string | undefined>();
  for (const [name, value] of params) {
    if (NO_FEATURES.has(name)) continue;
    if (name.startsWith('+') || BASE_TAGS.has(name)) features.set(name, value);
  }
  return features;
}

/** The values of a header line that are separated by commas outside of quotes. */
function splitValues(line: string): string[] {
  const values: string[] = [];
  let quoted = false;
  let start = 0;
  for (let i = 0; i < line.length; i += 1) {
    const char = line[i];
    if (char === '\\' && quoted) i += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      values.push(line.slice(start, i).trim());
      start = i + 1;
    }
  }
  values.push(line.slice(start).trim());
  return values;
}
