import type { Unseen } from '../tokens';

/** A cell, as far as it matters whether outputs belong to it. */
export interface ICellState {
  id: string;
  isCode: boolean;
  source: string;
  count: number | null;
  outputs: readonly unknown[];
  /** Whether it was run since the notebook was opened here: what it shows is newer. */
  isNewer: boolean;
}

/** Why outputs can be put into no cell. */
export type Hindrance = 'changed' | 'gone' | 'several';

/** Where the outputs of executions belong. */
export interface IPlacement {
  /** Executions, each with the number of the cell whose outputs its are. */
  placed: { execution: Unseen; cell: number }[];
  /** Executions that put something out, and whose cell is not there as it was. */
  lost: { execution: Unseen; why: Hindrance }[];
  /** The numbers of cells that still run, and show already what came so far. */
  running: number[];
}

/** Finds the cell of each execution; those that ended and stand there already are in no list. */
export function placeOutputs(
  cells: readonly ICellState[],
  executions: readonly Unseen[]
): IPlacement {
  const placement: IPlacement = { placed: [], lost: [], running: [] };
  for (const execution of executions) {
    const found = findCell(cells, execution);
    if (typeof found === 'number') {
      if (cells[found].isNewer) {
        continue;
      }
      if (!shows(cells[found], execution)) {
        placement.placed.push({ execution, cell: found });
      } else if (execution.running) {
        placement.running.push(found);
      }
    } else if (execution.outputs.length) {
      placement.lost.push({ execution, why: found });
    }
  }
  return placement;
}

function findCell(
  cells: readonly ICellState[],
  { cell: id, source }: Unseen
): number | Hindrance {
  const known = id === null ? -1 : cells.findIndex(cell => cell.id === id);
  if (known >= 0) {
    return cells[known].isCode && cells[known].source === source
      ? known
      : 'changed';
  }
  // Notebooks of an older format have no ids, and some front ends send none.
  const same = cells.flatMap((cell, index) =>
    cell.isCode && cell.source === source ? [index] : []
  );
  return same.length === 1 ? same[0] : same.length ? 'several' : 'gone';
}

function shows(cell: ICellState, execution: Unseen): boolean {
  const count = execution.running ? null : execution.count;
  return (
    cell.count === count &&
    canonical(cell.outputs) === canonical(execution.outputs)
  );
}

/** The same text for outputs that differ in the order of their keys or the cutting of lines only. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (Array.isArray(part) && part.every(line => typeof line === 'string')) {
      return part.join('');
    }
    if (part && typeof part === 'object' && !Array.isArray(part)) {
      return Object.fromEntries(
        Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1))
      );
    }
    return part;
  });
}
