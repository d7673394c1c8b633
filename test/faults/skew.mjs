// Loaded by `node --import` into a service: its wall clock is FAULTS_CLOCK_OFFSET_MS off from the start, as on a host whose clock is wrong,
// and runs FAULTS_CLOCK_RATE times as fast as time does.
const offset = Number(process.env.FAULTS_CLOCK_OFFSET_MS ?? 0);
const rate = Number(process.env.FAULTS_CLOCK_RATE ?? 1);
const RealDate = Date;
const began = RealDate.now();
const now = () => Math.round(began + offset + (RealDate.now() - began) * rate);
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [now()] : args));
  }
  static now() {
    return now();
  }
};
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + offset });
