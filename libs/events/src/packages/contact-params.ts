export interface ContactParam {
  readonly name: string;
  /** As sent, quotes included; empty when there is no value. */
  readonly value: string;
}

/** Splits `;a="x;y";b=1` at the semicolons outside quoted strings (RFC 3261 §25.1 contact-params). Linear. */
export function splitParams(params: string): ContactParam[] {
  const found: ContactParam[] = [];
  let start = 0;
  while (start < params.length) {
    const end = endOfParam(params, start);
    const param = readParam(params.slice(start, end));
    if (param !== undefined) found.push(param);
    start = end + 1;
  }
  return found;
}

/** Offset of the semicolon that ends the parameter, or of the end. */
function endOfParam(params: string, start: number): number {
  let quoted = false;
  for (let i = start; i < params.length; i += 1) {
    const c = params[i];
    if (c === '\\' && quoted) i += 1;
    else if (c === '"') quoted = !quoted;
    else if (c === ';' && !quoted) return i;
  }
  return params.length;
}

function readParam(text: string): ContactParam | undefined {
  const equals = text.indexOf('=');
  const name = (equals < 0 ? text : text.slice(0, equals)).trim();
  if (name === '') return undefined;
  return { name, value: equals < 0 ? '' : text.slice(equals + 1).trim() };
}
