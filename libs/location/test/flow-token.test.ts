import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseUri } from '@rollcall/sip';
import { FlowTokens, readFlowToken } from '../src/index.ts';

const tokens = new FlowTokens('0123456789abcdef0123456789abcdef');
const ref = { edge: 'edge-1.eu_a', epoch: 1_700_000_000_123, flow: 'u0-c0000201-5060' };

describe('flow tokens (RFC 5626 §5.2)', () => {
  test('what is signed is what is verified', () => {
    expect(tokens.verify(tokens.sign(ref))).toEqual(ref);
    expect(readFlowToken(tokens.sign(ref))).toEqual(ref);
  });

  test('a token stands in the user part of a URI without escapes', () => {
    const uri = parseUri(`sip:${tokens.sign(ref)}@192.0.2.7:5060;lr;ob`);
    expect(uri.ok && uri.value.kind === 'sip' && uri.value.user).toBe(tokens.sign(ref));
  });

  test('E14 a changed token, one of another secret and any other text are refused', () => {
    const token = tokens.sign(ref);
    expect(new FlowTokens('another secret of some length').verify(token)).toBeUndefined();
    for (let at = 0; at < token.length; at++) {
      const changed = token.slice(0, at) + (token[at] === 'a' ? 'b' : 'a') + token.slice(at + 1);
      expect(tokens.verify(changed), changed).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => tokens.verify(text) === undefined));
    for (const text of ['', '~~~', 'a~b~c', 'alice', `${token}x`, token.replace('edge', '')]) {
      expect(tokens.verify(text)).toBeUndefined();
    }
  });

  test('ids that would break the token are a bug of the caller', () => {
    expect(() => tokens.sign({ ...ref, edge: 'a~b' })).toThrow(RangeError);
    expect(() => tokens.sign({ ...ref, flow: '' })).toThrow(RangeError);
  });
});
