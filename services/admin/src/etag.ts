import { ProblemError } from '@rollcall/http';

/** The entity-tag of a version: strong, and 0 when there is no record. */
export const etagOf = (version: number): string => `"${String(version)}"`;

const TAG = /(W\/)?"([\u0021\u0023-\u007e]*)"/g;

function tags(header: string): { weak: boolean; tag: string }[] {
  return Array.from(header.matchAll(TAG), (match) => ({
    weak: match[1] !== undefined,
    tag: `"${match[2] ?? ''}"`,
  }));
}

/** If-None-Match (RFC 9110 §13.1.2), compared weakly: true when the client has this version. */
export function hasVersion(ifNoneMatch: string | undefined, version: number): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.trim() === '*'
    ? version > 0
    : tags(ifNoneMatch).some(({ tag }) => tag === etagOf(version));
}

/** If-Match (RFC 9110 §13.1.1), compared strongly; without the header every version will do. */
export function acceptsVersion(ifMatch: string | undefined): (version: number) => boolean {
  if (ifMatch === undefined) return () => true;
  if (ifMatch.trim() === '*') return (version) => version > 0;
  const wanted = tags(ifMatch);
  if (wanted.length === 0) throw new ProblemError('invalid-request', 'If-Match holds no entity-tag');
  return (version) => wanted.some(({ weak, tag }) => !weak && tag === etagOf(version));
}
