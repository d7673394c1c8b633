import { printAddress, type Plan, type SipAddress } from './plan.ts';
import { DEMO_ACCOUNTS, DEMO_DOMAIN, numberedAccounts } from './users.ts';

interface WelcomeFacts {
  readonly plan: Plan;
  readonly redisUrl: string;
  readonly ownRedis: boolean;
  readonly authority: string;
  readonly users: number;
}

/** What `npm start` prints when all is ready: addresses, accounts, and what to try next. */
export function welcome({ plan, redisUrl, ownRedis, authority, users }: WelcomeFacts): string {
  const [first] = plan.sip;
  if (first === undefined) throw new Error('a plan without an edge');
  const proxy = printAddress(first);
  const { url, token } = plan.admin;
  const services = plan.services.map((service) => service.name).join(', ');
  const ops = plan.services.map(
    (service) => `    ${service.name.padEnd(12)} http://127.0.0.1:${service.opsPort}/metrics`,
  );
  return `
Rollcall is ready: ${services}

  SIP      ${plan.sip.map(sipAddress).join(', ')}
  TLS      certificate for ${DEMO_DOMAIN} and this machine; trust ${authority}
  Domain   ${DEMO_DOMAIN}
  Accounts ${accountList(users)}
  Admin    ${url}   token ${token}
  Redis    ${redisUrl}${ownRedis ? ' (our own; its data is kept in .rollcall/)' : ''}
  Metrics
${ops.join('\n')}

Try next
  A phone: account alice, password alice-secret, domain ${DEMO_DOMAIN}, outbound proxy ${proxy}.
  baresip, in ~/.baresip/accounts:
    <sip:alice@${DEMO_DOMAIN}>;auth_user=alice;auth_pass=alice-secret;outbound="sip:${proxy}"
  sipsak:
    sipsak -U -i -C sip:alice@127.0.0.1:5099 -s sip:alice@${first.host} -u alice -a alice-secret -p ${proxy} -x 300
    (sipsak and SIPp know MD5 only: start with ROLLCALL_DIGEST_ALGORITHMS=MD5 in the environment)
  Who is registered:
    curl -H 'Authorization: Bearer ${token}' ${url}/v1/aors/sip:alice@${DEMO_DOMAIN}/bindings
  Watch it live:
    curl -N -H 'Authorization: Bearer ${token}' ${url}/v1/events
  A walk-through as a ladder, on ports of its own:
    npm start -- --demo --port-base 15060

Ctrl-C stops everything.
`;
}

function sipAddress(address: SipAddress): string {
  const { transport } = address;
  const isWebSocket = transport === 'ws' || transport === 'wss';
  return transport + (isWebSocket ? '://' : ' ') + printAddress(address);
}

function accountList(users: number): string {
  const shown = DEMO_ACCOUNTS.map(({ user, password }) => `${user} / ${password}`);
  const numbered = [...numberedAccounts(users)];
  const [first] = numbered;
  const last = numbered.at(-1);
  if (first !== undefined && last !== undefined)
    shown.push(`${first.user} … ${last.user} / pass-${first.user} …`);
  return shown.join(', ');
}
