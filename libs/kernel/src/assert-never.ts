/** Ends every exhaustive `switch`: a case that the type system says cannot happen, happened. */
export function assertNever(value: never, what = 'value'): never {
  throw new TypeError(`unexpected ${what}: ${JSON.stringify(value)}`);
}
