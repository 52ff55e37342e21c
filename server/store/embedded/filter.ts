import { CaissonError } from '../../../shared/protocol/errors.ts';
import type { Condition, Filter, Scalar, Sort } from '../port.ts';
import { fieldType, fieldValue } from './fields.ts';

export interface Sql {
  readonly text: string;
  readonly parameters: readonly (string | number)[];
}

/**
 * A filter as SQL, with MongoDB's meaning for documents whose filtered fields are scalars: values of different types are
 * neither equal nor ordered; `null` equals a missing field; `$ne` and its like match a missing field. Unlike MongoDB's,
 * a filter does not look into lists, and booleans have no order.
 */
export function whereOf(filter: Filter): Sql {
  const parts = Object.entries(filter).map(([field, condition]) => {
    if (field === '$and' || field === '$or') return joined(field, condition as readonly Filter[]);
    return fieldCondition(field, condition as Scalar | Condition | undefined);
  });
  return join(parts, ' AND ', '1');
}

/** Missing fields and nulls come first, as in MongoDB. */
export function orderOf(sort: Sort | undefined): string {
  const keys = Object.entries(sort ?? {}).map(
    ([field, direction]) => `${fieldValue(field)}${direction === -1 ? ' DESC' : ''}`,
  );
  return keys.length === 0 ? '' : ` ORDER BY ${keys.join(', ')}`;
}

function joined(operator: '$and' | '$or', filters: readonly Filter[]): Sql {
  return operator === '$and' ? join(filters.map(whereOf), ' AND ', '1') : join(filters.map(whereOf), ' OR ', '0');
}

function fieldCondition(field: string, condition: Scalar | Condition | undefined): Sql {
  if (typeof condition !== 'object' || condition === null) return equal(field, condition);
  const parts = Object.entries(condition).map(([operator, operand]) => operation(field, operator, operand));
  // An empty condition would be equality with an empty object in MongoDB: surely a mistake.
  if (parts.length === 0) throw new CaissonError('internal', `The condition on ${field} is empty.`);
  return join(parts, ' AND ', '1');
}

function operation(field: string, operator: string, operand: unknown): Sql {
  switch (operator) {
    case '$gt':
      return ordered(field, '>', operand as Scalar);
    case '$gte':
      return ordered(field, '>=', operand as Scalar);
    case '$lt':
      return ordered(field, '<', operand as Scalar);
    case '$lte':
      return ordered(field, '<=', operand as Scalar);
    case '$ne': {
      const same = equal(field, operand as Scalar);
      return { text: `(${same.text}) IS NOT TRUE`, parameters: same.parameters };
    }
    case '$in':
      return among(field, operand as readonly Scalar[]);
    case '$exists':
      return { text: `${fieldType(field)} IS ${operand === true ? 'NOT ' : ''}NULL`, parameters: [] };
    default:
      throw new CaissonError('internal', `The store has no operator ${operator}.`);
  }
}

function equal(field: string, value: Scalar | undefined): Sql {
  if (value === null) return { text: `${fieldValue(field)} IS NULL`, parameters: [] };
  if (typeof value === 'boolean') return { text: `${fieldType(field)} = '${value}'`, parameters: [] };
  return typed(field, `${fieldValue(field)} = ?`, value);
}

function ordered(field: string, operator: string, value: Scalar): Sql {
  if (value === null || typeof value === 'boolean') {
    throw new CaissonError('internal', `The field ${field} cannot be ordered against ${value}.`);
  }
  return typed(field, `${fieldValue(field)} ${operator} ?`, value);
}

/** One text whatever the number of values, so that the prepared statements stay few. */
function among(field: string, values: readonly Scalar[]): Sql {
  const parts: Sql[] = [];
  for (const type of ['string', 'number'] as const) {
    const some = values.filter((value) => typeof value === type);
    if (some.length === 0) continue;
    const list = `${fieldValue(field)} IN (SELECT value FROM json_each(?))`;
    parts.push({ text: guarded(field, list, type), parameters: [JSON.stringify(some)] });
  }
  const others = values.filter((value) => typeof value !== 'string' && typeof value !== 'number');
  return join([...parts, ...others.map((value) => equal(field, value))], ' OR ', '0');
}

function typed(field: string, comparison: string, value: string | number | undefined): Sql {
  // In MongoDB's driver undefined means null or nothing, by an option: a typing error must not select everything.
  if (typeof value !== 'string' && !Number.isFinite(value)) {
    throw new CaissonError('internal', `The filter on ${field} compares with ${String(value)}.`);
  }
  return { text: guarded(field, comparison, typeof value === 'string' ? 'string' : 'number'), parameters: [value!] };
}

/** SQLite orders every number before every text, and takes true for 1 and an object for its JSON text. */
function guarded(field: string, comparison: string, type: 'string' | 'number'): string {
  if (field === '_id' && type === 'string') return comparison;
  return `${comparison} AND ${fieldType(field)} ${type === 'string' ? "= 'text'" : "IN ('integer', 'real')"}`;
}

function join(parts: readonly Sql[], by: string, none: string): Sql {
  if (parts.length === 0) return { text: none, parameters: [] };
  if (parts.length === 1) return parts[0]!;
  return {
    text: parts.map((part) => `(${part.text})`).join(by),
    parameters: parts.flatMap((part) => part.parameters),
  };
}
