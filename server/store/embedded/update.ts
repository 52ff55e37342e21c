import { CaissonError } from '../../../shared/protocol/errors.ts';
import type { Update } from '../port.ts';
import { fieldPath } from './fields.ts';

type Fields = Record<string, unknown>;

/** Changes `document` in place. Objects on the way to a field are made where they are missing, as MongoDB does. */
export function applyUpdate(document: Fields, update: Update): void {
  for (const [field, value] of Object.entries(update.$set ?? {})) {
    if (value === undefined) throw new CaissonError('internal', `$set of ${field} has no value; use $unset.`);
    const { holder, name } = locate(document, field);
    define(holder, name, value);
  }
  for (const [field, by] of Object.entries(update.$inc ?? {})) {
    const { holder, name } = locate(document, field);
    const before = Object.hasOwn(holder, name) ? holder[name] : 0;
    if (typeof before !== 'number') throw new CaissonError('internal', `$inc of ${field}: it holds no number.`);
    define(holder, name, before + by);
  }
  for (const field of Object.keys(update.$unset ?? {})) {
    const { holder, name } = locate(document, field);
    delete holder[name];
  }
}

function locate(document: Fields, field: string): { holder: Fields; name: string } {
  const path = fieldPath(field);
  const name = path.pop()!;
  if (field === '_id') throw new CaissonError('internal', 'A document keeps its _id.');
  let holder = document;
  for (const step of path) {
    if (!Object.hasOwn(holder, step)) define(holder, step, {});
    const next = holder[step];
    if (typeof next !== 'object' || next === null) {
      throw new CaissonError('internal', `The path ${field} leads through something that is not an object.`);
    }
    holder = next as Fields;
  }
  return { holder, name };
}

/** Assignment would set the prototype for a field named `__proto__`, which is a legal name of a variable. */
function define(holder: Fields, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, writable: true, enumerable: true, configurable: true });
}
