import { describeConfig } from '@rollcall/config';
import { REFUSALS as EVENT_REFUSALS } from '@rollcall/events';
import { REGISTER_REFUSALS } from '@rollcall/registration';
import { reasonPhrase } from '@rollcall/sip';
import {
  inviteClient,
  inviteServer,
  nonInviteClient,
  nonInviteServer,
  printDiagram,
} from '@rollcall/sip-transaction';
import { adminConfig } from '../../services/admin/src/config.ts';
import { edgeConfig } from '../../services/edge/src/config.ts';
import { REFUSALS as EDGE_REFUSALS, type Refusal } from '../../services/edge/src/refusals.ts';
import { presenceConfig } from '../../services/presence/src/config.ts';
import { registrarConfig } from '../../services/registrar/src/config.ts';
import {
  configurationPage,
  conformancePage,
  type Page,
  refusalsPage,
  type RefusalRow,
  transactionsPage,
} from './pages.ts';

interface LabelledByKey {
  readonly status: number;
  readonly phrase?: string;
  readonly reason?: string;
  readonly rfc: string;
}

const rows = (table: Readonly<Record<string, LabelledByKey>>): RefusalRow[] =>
  Object.entries(table).map(([label, { status, phrase, reason, rfc }]) => ({
    ...{ label, status, rfc },
    reason: phrase ?? reason ?? reasonPhrase(status),
  }));

const edgeRows = (table: Readonly<Record<string, Refusal>>): RefusalRow[] =>
  Object.values(table).map(({ status, reason, label, section }) => ({ status, reason, label, rfc: section }));

/** Every page that is made from the code. */
export function allPages(): Page[] {
  return [
    conformancePage(),
    configurationPage({
      edge: describeConfig(edgeConfig),
      registrar: describeConfig(registrarConfig),
      presence: describeConfig(presenceConfig),
      admin: describeConfig(adminConfig),
    }),
    refusalsPage({
      'Edge, any request': edgeRows(EDGE_REFUSALS),
      'Registrar, REGISTER': rows(REGISTER_REFUSALS),
      'Presence, SUBSCRIBE and PUBLISH': rows(EVENT_REFUSALS),
    }),
    transactionsPage({
      'INVITE client': printDiagram(inviteClient),
      'INVITE server': printDiagram(inviteServer),
      'Non-INVITE client': printDiagram(nonInviteClient),
      'Non-INVITE server': printDiagram(nonInviteServer),
    }),
  ];
}
