/** What is drawn as a dot: a state and the one that it was made from. The newest comes first. */
export interface IDot {
  id: string;
  parent: string | null;
}

/** What stands beside one row: the column of its dot, if it has one, and lines to the rows beside. */
export interface IGraphRow {
  column: number | null;
  /** From a column at the upper edge to one at the height of the dot. */
  above: [number, number][];
  /** Columns with a line from the height of the dot to the lower edge. */
  below: number[];
}

/**
 * Draws lines from each state to the one that it was made from, as logs of version control do. Rows
 * without a dot let the lines through. A parent that is not in the list is below its end where
 * `goesOn`; else its line ends with the child.
 */
export function layoutGraph(
  dots: (IDot | null)[],
  goesOn = false
): IGraphRow[] {
  const known = new Set(dots.map(dot => dot?.id));
  /** For each column, the id that its line leads to. */
  const awaited: (string | null)[] = [];
  const columnsOf = () =>
    awaited.flatMap((id, column) => (id === null ? [] : [column]));
  return dots.map(dot => {
    const through = columnsOf();
    if (!dot) {
      return {
        column: null,
        above: through.map(column => [column, column]),
        below: through
      };
    }
    const joining = through.filter(column => awaited[column] === dot.id);
    const column = joining[0] ?? firstFree(awaited);
    for (const each of joining) {
      awaited[each] = null;
    }
    const { parent } = dot;
    awaited[column] =
      parent !== null && (goesOn || known.has(parent)) ? parent : null;
    return {
      column,
      above: through.map(each => [
        each,
        joining.includes(each) ? column : each
      ]),
      below: columnsOf()
    };
  });
}

/** How many columns a graph takes. */
export function widthOf(rows: IGraphRow[]): number {
  let width = 0;
  for (const { column, above } of rows) {
    for (const [from] of above) {
      width = Math.max(width, from + 1);
    }
    width = Math.max(width, (column ?? -1) + 1);
  }
  return width;
}

function firstFree(awaited: (string | null)[]): number {
  const free = awaited.indexOf(null);
  return free < 0 ? awaited.length : free;
}

/**
 * The states of kernels with the parents that can be drawn: where the one that a state was made
 * from has expired, the next older one of the same run stands for it.
 */
export function bridgeGaps<T extends IDot & { run: string }>(
  states: T[]
): IDot[] {
  const known = new Set(states.map(state => state.id));
  const older = new Map<string, string>();
  const bridged: IDot[] = [];
  for (let at = states.length - 1; at >= 0; at--) {
    const { id, parent, run } = states[at];
    const isThere = parent === null || known.has(parent);
    bridged.push({ id, parent: isThere ? parent : (older.get(run) ?? parent) });
    older.set(run, id);
  }
  return bridged.reverse();
}

/** Two graphs over the same rows, one to the right of the other. */
export function besides(left: IGraphRow[], right: IGraphRow[]): IGraphRow[] {
  const shift = widthOf(left);
  return left.map((row, number) => {
    const other = right[number];
    const above = other.above.map(([from, to]): [number, number] => [
      from + shift,
      to + shift
    ]);
    return {
      column:
        row.column ?? (other.column === null ? null : other.column + shift),
      above: [...row.above, ...above],
      below: [...row.below, ...other.below.map(column => column + shift)]
    };
  });
}
