import { type ICellState, placeOutputs } from '../models/away';
import type { Unseen } from '../tokens';

function cell(id: string, source: string, more: Partial<ICellState> = {}) {
  return {
    id,
    source,
    isCode: true,
    count: null,
    outputs: [],
    isNewer: false,
    ...more
  };
}

function execution(
  id: string | null,
  source: string,
  more: Partial<Unseen> = {}
): Unseen {
  return {
    id: `e-${id}`,
    cell: id,
    source,
    count: 3,
    status: 'ok',
    running: false,
    started: '2026-11-21T10:00:00Z',
    finished: '2026-11-21T10:00:01Z',
    truncated: false,
    outputs: [{ output_type: 'stream', name: 'stdout', text: 'a\nb\n' }],
    ...more
  };
}

/** The numbers of the cells that got outputs, and why others did not. */
function told(cells: ICellState[], executions: Unseen[]) {
  const { placed, lost } = placeOutputs(cells, executions);
  return [placed.map(one => one.cell), lost.map(one => one.why)];
}

describe('placeOutputs', () => {
  it('finds the cell by its id', () => {
    const cells = [cell('a', 'same'), cell('b', 'same')];
    expect(told(cells, [execution('b', 'same')])).toEqual([[1], []]);
  });

  it('puts nothing into a cell that was changed or is gone', () => {
    const cells = [cell('a', 'now'), cell('c', 'then')];
    expect(told(cells, [execution('a', 'then')])).toEqual([[], ['changed']]);
    expect(told([cell('c', 'else')], [execution('a', 'then')])).toEqual([
      [],
      ['gone']
    ]);
    const text = cell('a', 'then', { isCode: false });
    expect(told([text], [execution('a', 'then')])).toEqual([[], ['changed']]);
  });

  it('finds a cell without a known id by what it says, if one alone says it', () => {
    const cells = [cell('x', 'one'), cell('y', 'two'), cell('z', 'two')];
    expect(told(cells, [execution(null, 'one')])).toEqual([[0], []]);
    expect(told(cells, [execution('old', 'one')])).toEqual([[0], []]);
    expect(told(cells, [execution(null, 'two')])).toEqual([[], ['several']]);
  });

  it('never puts the same there twice, however its lines are cut', () => {
    const shown = [
      { name: 'stdout', output_type: 'stream', text: ['a\n', 'b\n'] }
    ];
    const there = cell('a', 'one', { count: 3, outputs: shown });
    expect(told([there], [execution('a', 'one')])).toEqual([[], []]);
    const before = cell('a', 'one', { count: 2, outputs: shown });
    expect(told([before], [execution('a', 'one')])).toEqual([[0], []]);
  });

  it('never puts anything over what was run since', () => {
    const newer = cell('a', 'one', { isNewer: true });
    expect(told([newer], [execution('a', 'one')])).toEqual([[], []]);
  });

  it('says nothing of a lost execution that put nothing out', () => {
    const silent = execution('a', 'one', { outputs: [] });
    expect(told([], [silent])).toEqual([[], []]);
    const cleared = cell('a', 'one', { outputs: [{}], count: 1 });
    expect(told([cleared], [silent])).toEqual([[0], []]);
  });
});
