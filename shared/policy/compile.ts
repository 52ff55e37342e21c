import { CaissonError, type FieldIssue } from '../protocol/errors.ts';
import type { NetworkPolicy } from '../protocol/rest.ts';
import { parsePattern, type DomainPattern } from './domain-pattern.ts';
import { GROUPS } from './groups.ts';

interface CompiledRule {
  /** What events name: `group:git` or `pattern:*.example.com:8443`. */
  readonly rule: string;
  readonly pattern: DomainPattern;
}

/** An environment's network policy, parsed and ready to decide. */
export interface CompiledPolicy {
  readonly mode: NetworkPolicy['mode'];
  readonly groups: readonly NetworkPolicy['groups'][number][];
  readonly rules: readonly CompiledRule[];
  readonly allowNonTls: boolean;
}

/**
 * Parses every pattern of a policy.
 * @param operatorNames hosts of the operator's exceptions: only these may be single labels or private addresses
 * @throws {CaissonError} `invalid_request`, with the field path (`network.patterns.2`) of every refused pattern
 */
export function compilePolicy(network: NetworkPolicy, operatorNames: Iterable<string> = []): CompiledPolicy {
  const names = new Set(operatorNames);
  const issues: FieldIssue[] = [];
  const rules: CompiledRule[] = [];
  network.patterns.forEach((text, index) => {
    const parsed = parsePattern(text, names);
    if (parsed.ok) rules.push({ rule: `pattern:${parsed.pattern.text}`, pattern: parsed.pattern });
    else issues.push({ path: `network.patterns.${index}`, message: parsed.problem });
  });
  if (issues.length > 0) {
    const [first] = issues;
    throw new CaissonError('invalid_request', `The allow-list is not valid: ${first!.path}: ${first!.message}`, {
      details: issues,
    });
  }
  const groups = [...new Set(network.groups)];
  return {
    mode: network.mode,
    groups,
    rules: [...groups.flatMap(groupRules), ...rules],
    allowNonTls: network.allowNonTls,
  };
}

function groupRules(group: NetworkPolicy['groups'][number]): CompiledRule[] {
  return GROUPS[group].map((text) => {
    const parsed = parsePattern(text);
    if (!parsed.ok) throw new Error(`The group ${group} holds a pattern that is refused: ${parsed.problem}`);
    return { rule: `group:${group}`, pattern: parsed.pattern };
  });
}
