import { describe, expect, test } from 'vitest';
import { BoundedMap } from '../src/bounded-map.ts';

const filled = (
  limit: number,
  keys: string[],
  onEvict?: (key: string) => void,
): BoundedMap<string, number> => {
  const map = new BoundedMap<string, number>(limit, onEvict);
  keys.forEach((key, index) => {
    map.set(key, index);
  });
  return map;
};

describe('BoundedMap', () => {
  test('never holds more than its limit, and the oldest goes first', () => {
    const evicted: string[] = [];
    const map = filled(2, ['a', 'b', 'c'], (key) => evicted.push(key));
    expect([...map.keys()]).toEqual(['b', 'c']);
    expect(evicted).toEqual(['a']);
  });

  test('reading makes an entry young, peeking does not', () => {
    const read = filled(2, ['a', 'b']);
    read.get('a');
    read.set('c', 9);
    expect([...read.keys()]).toEqual(['a', 'c']);

    const peeked = filled(2, ['a', 'b']);
    expect(peeked.peek('a')).toBe(0);
    peeked.set('c', 9);
    expect([...peeked.keys()]).toEqual(['b', 'c']);
  });

  test('writing an entry again pushes nobody out', () => {
    const evicted: string[] = [];
    const map = filled(2, ['a', 'b', 'a'], (key) => evicted.push(key));
    expect(evicted).toEqual([]);
    expect(map.get('a')).toBe(2);
    expect(map.size).toBe(2);
  });

  test('what is deleted is gone and is not reported as pushed out', () => {
    const evicted: string[] = [];
    const map = filled(2, ['a'], (key) => evicted.push(key));
    expect(map.delete('a')).toBe(true);
    expect(map.has('a')).toBe(false);
    expect(map.get('a')).toBeUndefined();
    map.clear();
    expect(evicted).toEqual([]);
  });

  test('refuses a limit that is none', () => {
    expect(() => new BoundedMap(0)).toThrow(RangeError);
    expect(() => new BoundedMap(Number.NaN)).toThrow(RangeError);
  });
});
