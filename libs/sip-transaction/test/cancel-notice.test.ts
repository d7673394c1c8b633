import { describe, expect, it } from 'vitest';
import { CancelNotice } from '../src/index.ts';

describe('C06 a CANCEL and who wants to know of it', () => {
  it('C06 is told to who listens already, once', () => {
    const told: string[] = [];
    const notice = new CancelNotice();
    notice.listener = (reason) => told.push(reason);
    notice.arrived('Reason: a\r\n');
    notice.arrived('Reason: b\r\n');
    expect(told).toEqual(['Reason: a\r\n']);
  });

  it('C06 that comes early waits for its listener', () => {
    const told: string[] = [];
    const notice = new CancelNotice();
    notice.listener = () => undefined;
    notice.letGo();
    notice.arrived('');
    notice.listener = (reason) => told.push(reason);
    expect(told).toEqual(['']);
  });
});
