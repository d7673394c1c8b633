// Loaded by `node --import` into an edge: what it waits for more than three minutes comes a hundred times as fast. RFC 3261 §16.6 step 11
// wants timer C to be larger than that, so that a timer C of three minutes or less is not helped.
const THREE_MINUTES_MS = 180_000;
const FASTER = 100;
const real = globalThis.setTimeout;
const quick = (fire, ms, ...args) => real(fire, ms > THREE_MINUTES_MS ? ms / FASTER : ms, ...args);
globalThis.setTimeout = Object.assign(quick, real);
