import { scriptBySha } from '../script.ts';
import type { Answer, Status } from './wire.ts';

/** `version` in the first characters of a record; all compare-and-set rests on it. */
const VERSION_OCTETS = 10;
const OK: Status = { status: 'OK' };
const INFO = 'redis_version:7.4.0\r\nloading:0\r\nrole:master\r\n';

type Play = (keys: readonly string[], values: readonly string[], kept: Kept) => Answer;

/** What the scripts of a rehearsal have written. */
class Kept {
  readonly texts = new Map<string, string>();
  readonly sets = new Map<string, Set<string>>();
  readonly hashes = new Map<string, readonly string[]>();

  text(key: string | undefined): string {
    return this.texts.get(key ?? '') ?? '';
  }

  /** Compare-and-set; the record that there is, when it is of another version. */
  swap(key = '', expected = '', value = ''): string | undefined {
    const current = this.text(key);
    if (current.slice(0, VERSION_OCTETS) !== expected) return current;
    if (value === '') this.texts.delete(key);
    else this.texts.set(key, value);
    return undefined;
  }

  /** Puts a member into a set, or takes it out. */
  place(key = '', member = '', present: boolean): void {
    const set = this.sets.get(key) ?? new Set<string>();
    if (present) set.add(member);
    else set.delete(member);
    if (set.size === 0) this.sets.delete(key);
    else this.sets.set(key, set);
  }
}

/** What the scripts of requests do and answer when nothing goes wrong; `scripts/*.lua` say what keys and values mean. */
const PLAYS: Readonly<Record<string, Play>> = {
  'put-user': (keys, values, kept) => {
    kept.hashes.set(keys[0] ?? '', values.slice(2));
    return ['stored', ''];
  },
  commit: () => 'committed',
  refresh: () => 'committed',
  'commit-subscription': (keys, values, kept) => {
    const [id, expected, value] = values;
    const current = kept.swap(keys[0], expected, value);
    if (current !== undefined) return ['conflict', current];
    kept.place(keys[1], id, value !== '');
    const wanted = Number(values[10]);
    return ['committed', value === '' ? [] : keys.slice(6, 6 + wanted).map((key) => kept.text(key))];
  },
  'commit-publications': (keys, values, kept) => {
    const current = kept.swap(keys[0], values[1], values[2]);
    if (current !== undefined) return ['conflict', current];
    const watchers = [...(kept.sets.get(keys[1] ?? '') ?? [])].sort();
    if (values[4] !== '1' || watchers.length === 0) return 'committed';
    if (values[11] !== watchers.join(' ')) return ['tell', watchers, kept.text(keys[4])];
    for (let n = PUBLICATION_KEYS; n < keys.length; n += 1) {
      const next = values[4 * (n - PUBLICATION_KEYS) + 15] ?? '';
      if (next !== '') kept.texts.set(keys[n] ?? '', next);
    }
    return 'told';
  },
  'settle-subscriptions': (keys, values, kept) => {
    const replies: Answer[] = [];
    for (let n = 0; 2 + 3 * n < keys.length; n += 1) {
      const [id, expected, value] = values.slice(4 + 7 * n);
      const current = kept.swap(keys[2 + 3 * n], expected, value);
      if (current === undefined) kept.place(keys[3 + 3 * n], id, value !== '');
      replies.push(current ?? 1);
    }
    return replies;
  },
};
const PUBLICATION_KEYS = 5;

/** Answers as a Redis that was empty and to which everything is allowed, so far as requests ask. */
export class Understudy {
  readonly #kept = new Kept();

  answer(parts: readonly string[]): Answer {
    const [name = '', first = ''] = parts;
    switch (name.toUpperCase()) {
      case 'EVALSHA':
        return this.#play(first, parts);
      case 'GET':
        return this.#kept.texts.get(first) ?? null;
      case 'HGETALL':
        return this.#kept.hashes.get(first) ?? [];
      case 'MGET':
        return parts.slice(1).map((key) => this.#kept.texts.get(key) ?? null);
      case 'TIME': {
        const now = Date.now();
        return [String(Math.floor(now / 1_000)), String((now % 1_000) * 1_000)];
      }
      case 'INFO':
        return INFO;
      default:
        return OK;
    }
  }

  #play(sha: string, parts: readonly string[]): Answer {
    const script = scriptBySha(sha);
    const play = PLAYS[script?.name ?? ''];
    if (play === undefined) return OK;
    const keysEnd = 3 + Number(parts[2]);
    return play(parts.slice(3, keysEnd), parts.slice(keysEnd), this.#kept);
  }
}
