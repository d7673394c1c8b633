// Loaded by `node --import` into a service: its wall clock is FAULTS_CLOCK_OFFSET_MS off from the start, as on a host whose clock is wrong.
const offset = Number(process.env.FAULTS_CLOCK_OFFSET_MS ?? 0);
const RealDate = Date;
const now = () => RealDate.now() + offset;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [now()] : args));
  }
  static now() {
    return now();
  }
};
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + offset });
