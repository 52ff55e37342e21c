import { CaissonError } from '../../../shared/protocol/errors.ts';

/** A document's field: a name, or names joined by dots. Names become part of the SQL, so nothing else gets through. */
const FIELD = /^[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$/;
const COLLECTION = /^[a-z][a-z0-9_]{0,63}$/;

/** @throws {CaissonError} `internal`: names come from our code, never from a request */
export function fieldPath(field: string): string[] {
  if (!FIELD.test(field)) throw new CaissonError('internal', `${JSON.stringify(field)} is not a field's name.`);
  return field.split('.');
}

/** The SQL of a field's value. An index is used only where a query has the same text as the index. */
export function fieldValue(field: string): string {
  return field === '_id' ? '_id' : `json_extract(doc, '${jsonPath(field)}')`;
}

/** The SQL of a field's JSON type: `text`, `integer`, `true`, `null` …, and NULL where the field is missing. */
export function fieldType(field: string): string {
  return field === '_id' ? "'text'" : `json_type(doc, '${jsonPath(field)}')`;
}

function jsonPath(field: string): string {
  return `$${fieldPath(field)
    .map((name) => `."${name}"`)
    .join('')}`;
}

export function tableName(collection: string): string {
  if (!COLLECTION.test(collection)) {
    throw new CaissonError('internal', `${JSON.stringify(collection)} is not a collection's name.`);
  }
  return `c_${collection}`;
}
