import { expect, test } from 'vitest';
import { runListQuery } from '../../../../shared/protocol/rest.ts';
import { selfFirst, toRunQuery } from '../../../../extension/panels/history-query.ts';

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

test('oneself comes first, then the others by name', () => {
  const people = [
    { id: 'mem_1', name: 'Noor' },
    { id: 'mem_2', name: 'Ada' },
    { id: 'mem_3', name: 'Jun' },
  ];
  expect(selfFirst(people, 'mem_3').map(({ name }) => name)).toEqual(['Jun', 'Ada', 'Noor']);
});
