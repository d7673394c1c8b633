import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_POLICY } from '@rollcall/location';
import type { Aor } from '@rollcall/location';
import { parseMessage } from '@rollcall/sip';
import type { SipResponse } from '@rollcall/sip';
import {
  decideRegister,
  isAssertedOwner,
  readRegister,
  REGISTER_REFUSALS,
  renderAccepted,
  renderRefusal,
} from '../src/index.ts';
import type { RefusalLabel } from '../src/index.ts';
import { domains, intentOf, NO_RECORD, NOW, parseRequest, registerText } from './support.ts';

const TERMS = {
  aor: 'sip:alice@example.test' as Aor,
  policy: DEFAULT_POLICY,
  gruus: undefined,
  source: undefined,
};

const parseAnswer = (text: string): SipResponse => {
  const parsed = parseMessage(text);
  if (!parsed.ok || parsed.value.kind !== 'response') throw new Error(`not a response: ${text}`);
  return parsed.value;
};

describe('the refusal table', () => {
  test('R15 no row is a 6xx, each names its source, and each renders', () => {
    const request = parseRequest(registerText([]));
    for (const [label, row] of Object.entries(REGISTER_REFUSALS)) {
      expect(row.status).toBeGreaterThanOrEqual(400);
      expect(row.status).toBeLessThan(600);
      expect(row.rfc).toMatch(/^RFC [0-9]+ §|^local policy$/);
      const answer = parseAnswer(renderRefusal(request, { label: label as RefusalLabel, detail: '' }, 7));
      expect([answer.status, answer.reason]).toEqual([row.status, row.phrase]);
      expect(answer.header('retry-after')).toBe('later' in row ? '7' : undefined);
    }
  });
});

describe('the 200 (RFC 3261 §10.3 step 8)', () => {
  test('B01 B23 lists every binding with its seconds, Date, and the Via stack', () => {
    const lines = Array.from(
      { length: 10 },
      (_, index) => `Contact: <sip:a@10.0.0.${index.toString()}>;q=0.${index.toString()}`,
    );
    const request = parseRequest(registerText(lines));
    const decision = decideRegister(intentOf(lines), NO_RECORD, DEFAULT_POLICY, NOW);
    if (decision.kind !== 'changed') throw new Error(decision.kind);
    const text = renderAccepted(request, decision, NOW, TERMS);
    const answer = parseAnswer(text);
    expect(answer.header('date')).toBe('Tue, 14 Nov 2023 22:13:20 GMT');
    expect(answer.headers('contact')).toHaveLength(10);
    expect(answer.headers('contact')[7]).toBe('<sip:a@10.0.0.7>;q=0.7;expires=3600');
    expect(answer.headers('via')).toEqual(request.headers('via'));
    expect(renderAccepted(request, decision, NOW, TERMS)).toBe(text);
  });

  test('the To-tag is the same on every replica, and another for another request', () => {
    const tag = (cseq: number): string | undefined => {
      const request = parseRequest(registerText([], cseq));
      const to = parseAnswer(renderRefusal(request, { label: 'fault', detail: '' }, 1)).to();
      return to.ok ? to.value.tag : undefined;
    };
    expect(tag(1)).toMatch(/^[a-z0-5]{10}$/);
    expect(tag(1)).toBe(tag(1));
    expect(tag(1)).not.toBe(tag(2));
  });
});

describe('who is asserted', () => {
  test('R08 only the very AoR, in its canonical form, is told without reading the header', () => {
    const asserted = (value: string): boolean => {
      const lines = [`P-Asserted-Identity: ${value}`];
      return isAssertedOwner(parseRequest(registerText(lines)), intentOf(lines).aor);
    };
    expect(asserted('<sip:alice@example.test>')).toBe(true);
    expect(asserted('<sip:alice@example.test>, <sip:bob@example.test>')).toBe(false);
    expect(asserted('<sip:bob@example.test>')).toBe(false);
    expect(asserted('<sip:ALICE@example.test>')).toBe(false);
  });
});

describe('P1-P21 REGISTERs of real phones', () => {
  const folder = new URL('../../sip/fixtures/phones/', import.meta.url);
  const names = readdirSync(folder).filter((name) => /REGISTER/.test(name) && name.endsWith('.sip'));
  test('there are some', () => {
    expect(names.length).toBeGreaterThan(20);
  });
  test.each(names)('%s is carried out or refused with a reason', (name) => {
    // As it comes from an edge of ours, which is a first hop that knows outbound (RFC 5626 §5.1).
    const sent = readFileSync(new URL(name, folder), 'latin1');
    const parsed = parseMessage(sent.replace('\r\n', '\r\nPath: <sip:token@192.0.2.1;lr;ob>\r\n'));
    if (!parsed.ok) {
      expect(parsed.error.status).toBeGreaterThanOrEqual(400);
      return;
    }
    if (parsed.value.kind !== 'request') return;
    const intent = readRegister(parsed.value, { ...domains, canonical: (host) => host.toLowerCase() });
    if (!intent.ok) {
      expect(Object.keys(REGISTER_REFUSALS)).toContain(intent.error.label);
      return;
    }
    const decision = decideRegister(intent.value, NO_RECORD, DEFAULT_POLICY, NOW);
    if (decision.kind === 'refused') {
      expect(['malformed', 'bad-contact', 'interval-too-brief', 'bad-wildcard']).toContain(
        decision.refusal.label,
      );
      return;
    }
    const answer = parseAnswer(renderAccepted(parsed.value, decision, NOW, TERMS));
    expect(answer.headers('contact')).toHaveLength(decision.bindings.length);
    const listed = answer.contacts();
    expect(listed.ok).toBe(true);
    for (const { expiresAt } of decision.bindings) expect(expiresAt).toBeLessThanOrEqual(NOW + 7_200_000);
  });
});
