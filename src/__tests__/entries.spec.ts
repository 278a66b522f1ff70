import { type HistoryEntry, mergeParts } from '../models/entries';
import { withDays } from '../models/rows';

const entry = (id: string, time: number) =>
  ({ kind: 'execution', id, time }) as HistoryEntry;
const part = (ids: [string, number][], hasMore = false) => ({
  items: ids.map(([id, time]) => entry(id, time)),
  hasMore
});
const ids = (entries: { id: string }[]) => entries.map(one => one.id);

describe('mergeParts', () => {
  it('makes one list of all, the newest first', () => {
    const one = part([
      ['a', 9],
      ['b', 5]
    ]);
    const other = part([
      ['c', 7],
      ['d', 1]
    ]);
    expect(ids(mergeParts([one, other]))).toEqual(['a', 'c', 'b', 'd']);
  });

  it('ends where one of the kinds is not at hand any more', () => {
    const one = part(
      [
        ['a', 9],
        ['b', 5]
      ],
      true
    );
    const other = part([
      ['c', 7],
      ['d', 1]
    ]);
    expect(ids(mergeParts([one, other]))).toEqual(['a', 'c', 'b']);
    const odd = part(
      [
        ['a', 5],
        ['b', 9]
      ],
      true
    );
    expect(ids(mergeParts([odd]))).toEqual(['a', 'b']);
  });

  it('shows nothing that may have something unknown before it', () => {
    expect(mergeParts([part([], true), part([['a', 1]])])).toEqual([]);
  });

  it('leaves the order within one kind as it is', () => {
    const same = part([
      ['a', 5],
      ['b', 5]
    ]);
    expect(ids(mergeParts([same, part([['c', 5]])]))).toEqual(['a', 'b', 'c']);
  });
});

describe('withDays', () => {
  it('names each day once, before its first entry', () => {
    const noon = new Date(2026, 10, 20, 12).getTime();
    const rows = withDays([
      entry('c', noon + 86_400_000),
      entry('b', noon + 1),
      entry('a', noon)
    ]);
    expect(rows.map(row => row.kind)).toEqual([
      'day',
      'execution',
      'day',
      'execution',
      'execution'
    ]);
  });
});
