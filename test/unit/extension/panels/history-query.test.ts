import { expect, test } from 'vitest';
import { runListQuery } from '../../../../shared/protocol/rest.ts';
import { membersOf, toRunQuery } from '../../../../extension/panels/history-query.ts';
import { aRun } from '../../../support/runs.ts';

test('empty filters are left out', () => {
  const query = toRunQuery({ states: [], member: '', environment: '', from: '', to: '', text: '  ' }, undefined, 50);
  expect(query).toEqual({ limit: 50 });
});

test('every filter reaches the server in the form that it takes', () => {
  const query = toRunQuery(
    {
      states: ['failed', 'canceled'],
      member: 'mem_1',
      environment: 'default',
      from: '2026-03-01T00:00:00.000Z',
      to: '2026-03-02T00:00:00.000Z',
      text: ' parser ',
    },
    'next',
    0,
  );
  expect(query).toMatchObject({ text: 'parser', cursor: 'next', limit: 1, state: ['failed', 'canceled'] });
  const sent = { ...query, state: query.state?.join(',') };
  expect(runListQuery.parse(sent)).toMatchObject({ member: 'mem_1', environment: 'default', state: query.state });
});

test('oneself comes first, by name; the others as they are known', () => {
  const by = (memberId: string) => aRun({ createdBy: { memberId, keyId: 'key_1' } });
  expect(membersOf([by('mem_b'), by('mem_me'), by('mem_a'), by('mem_b')], { id: 'mem_me', name: 'Ada' })).toEqual([
    { id: 'mem_me', name: 'Ada' },
    { id: 'mem_a', name: 'mem_a' },
    { id: 'mem_b', name: 'mem_b' },
  ]);
});
