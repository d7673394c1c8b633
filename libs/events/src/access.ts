import type { Aor } from '@rollcall/location';
import { aorDomain } from '@rollcall/location';
import type { Access } from './model.ts';

/**
 * What a rule does to a watcher (RFC 3857 §3, RFC 5025 §3.2.1): `allow`: sees the state. `confirm`: is pending until somebody
 * decides. `polite-block`: is told that nobody is there. `block`: is refused.
 */
export const RULE_ACTIONS = ['allow', 'confirm', 'polite-block', 'block'] as const;
export type RuleAction = (typeof RULE_ACTIONS)[number];

/** One rule. `watcher` is an AoR, `@domain` for everybody of a domain, or `*` for everybody. */
export interface WatcherRule {
  readonly watcher: string;
  readonly action: RuleAction;
}

/** The rules of one user; version 0 means that there are none. */
export interface WatcherRules {
  readonly version: number;
  readonly rules: readonly WatcherRule[];
}

export const NO_RULES: WatcherRules = { version: 0, rules: [] };

/** Stands for everybody in a rule. */
export const EVERYBODY = '*';

/**
 * What a watcher may see of a resource: the rule that names them, else that for their domain, else that for everybody, else
 * the policy of the domain or user. The owner sees everything.
 */
export function accessOf(
  resource: Aor,
  watcher: string,
  { rules }: WatcherRules,
  policy: RuleAction,
): Access | 'blocked' {
  if (watcher === resource) return 'active';
  return ACCESS[ruleFor(watcher, rules) ?? policy];
}

const ACCESS: Readonly<Record<RuleAction, Access | 'blocked'>> = {
  allow: 'active',
  confirm: 'pending',
  'polite-block': 'polite',
  block: 'blocked',
};

function ruleFor(watcher: string, rules: readonly WatcherRule[]): RuleAction | undefined {
  if (rules.length === 0) return undefined;
  const domain = aorDomain(watcher as Aor);
  let ofDomain: RuleAction | undefined;
  let ofAll: RuleAction | undefined;
  for (const rule of rules) {
    if (rule.watcher === watcher) return rule.action;
    if (rule.watcher === EVERYBODY) ofAll = rule.action;
    else if (domain !== undefined && rule.watcher === `@${domain}`) ofDomain = rule.action;
  }
  return ofDomain ?? ofAll;
}
