import type { ICell, INotebookContent } from '@jupyterlab/nbformat';

import type { SharedCell, SharedNotebook } from './draftdoc';

type SharedInput = Parameters<SharedNotebook['insertCells']>[1][number];

/**
 * Makes an open notebook say what `content` says. Cells that say the same already stay as they are,
 * with their outputs' trust, their place on the screen and what can be undone in them.
 */
export function putInto(
  notebook: SharedNotebook,
  content: INotebookContent
): void {
  const sides: ISides = {
    notebook,
    cells: content.cells,
    present: notebook.cells.map(cell => canonical(cell.toJSON())),
    wanted: content.cells.map(canonical)
  };
  const last = lastKept(
    notebook.cells.map(cell => cell.getId()),
    content.cells.map(cell => cell.id as string | undefined)
  );
  notebook.transact(() => {
    let end: IPair = { at: sides.present.length, to: sides.wanted.length };
    // From the back: what stands before keeps its place.
    for (let kept = last; kept; kept = kept.before) {
      fill(sides, { at: kept.at + 1, to: kept.to + 1 }, end);
      put(sides, kept);
      end = kept;
    }
    fill(sides, { at: 0, to: 0 }, end);
    if (
      JSON.stringify(notebook.getMetadata()) !==
      JSON.stringify(content.metadata)
    ) {
      notebook.setMetadata(content.metadata);
    }
  });
}

/** A notebook and what it is to say. */
interface ISides {
  notebook: SharedNotebook;
  cells: ICell[];
  /** What its cells say, as it was. */
  present: string[];
  wanted: string[];
}

/** A place in the notebook as it was, and one in what it is to be. */
interface IPair {
  at: number;
  to: number;
}

/** A cell that is on both sides, and the one before it that is, too. */
interface IKept extends IPair {
  before: IKept | null;
}

/** The last of the most cells that are on both sides, by their ids, in the same order. */
function lastKept(
  present: string[],
  wanted: (string | undefined)[]
): IKept | null {
  const places = new Map(wanted.map((id, to) => [id, to]));
  // The one at n ends n + 1 cells, and as early as any that does.
  const ends: IKept[] = [];
  present.forEach((id, at) => {
    const to = places.get(id);
    if (to !== undefined) {
      let length = 0;
      for (let high = ends.length; length < high;) {
        const middle = (length + high) >> 1;
        if (ends[middle].to < to) {
          length = middle + 1;
        } else {
          high = middle;
        }
      }
      ends[length] = { at, to, before: ends[length - 1] ?? null };
    }
  });
  return ends[ends.length - 1] ?? null;
}

/** The cells between two pairs say what they are to say. */
function fill(sides: ISides, from: IPair, end: IPair): void {
  const { notebook, cells, present, wanted } = sides;
  let { at, to } = from;
  let { at: until, to: last } = end;
  while (at < until && to < last && present[at] === wanted[to]) {
    at += 1;
    to += 1;
  }
  while (at < until && to < last && present[until - 1] === wanted[last - 1]) {
    until -= 1;
    last -= 1;
  }
  if (until - at === last - to) {
    for (let number = 0; number < until - at; number++) {
      put(sides, { at: at + number, to: to + number });
    }
    return;
  }
  // First the new ones: a notebook is never without a cell.
  notebook.insertCells(until, cells.slice(to, last) as SharedInput[]);
  if (until > at) {
    notebook.deleteCellRange(at, until);
  }
}

function put({ notebook, cells, present, wanted }: ISides, pair: IPair): void {
  if (present[pair.at] !== wanted[pair.to]) {
    replace(notebook, pair.at, cells[pair.to]);
  }
}

/**
 * Whether a notebook says all that a draft of it does: the same cells, with outputs that may go on
 * where those of the draft end.
 */
export function saysAll(
  present: INotebookContent,
  draft: INotebookContent
): boolean {
  const still = (cell: ICell) =>
    canonical({ ...cell, outputs: [], execution_count: null });
  return (
    present.cells.length === draft.cells.length &&
    draft.cells.every(
      (cell, at) =>
        still(present.cells[at]) === still(cell) &&
        goesOn(outputsOf(present.cells[at]), outputsOf(cell))
    )
  );
}

type Output = Record<string, unknown>;

const outputsOf = (cell: ICell) => (cell.outputs ?? []) as Output[];

function goesOn(present: Output[], outputs: Output[]): boolean {
  const text = (one: Output) => joined((one.text ?? '') as string | string[]);
  return outputs.every((one, at) => {
    const other = present[at];
    return (
      other !== undefined &&
      (JSON.stringify(sorted(other)) === JSON.stringify(sorted(one)) ||
        (one.output_type === 'stream' &&
          other.output_type === 'stream' &&
          one.name === other.name &&
          at === outputs.length - 1 &&
          text(other).startsWith(text(one))))
    );
  });
}

function replace(notebook: SharedNotebook, at: number, cell: ICell): void {
  const present = notebook.getCell(at);
  if (saysTheSame(present, cell)) {
    present.setSource(joined(cell.source));
    return;
  }
  notebook.insertCells(at + 1, [cell as SharedInput]);
  notebook.deleteCell(at);
}

/** Whether the cells differ in their source alone. */
function saysTheSame(present: SharedCell, cell: ICell): boolean {
  const one = canonical({ ...present.toJSON(), source: '' });
  return one === canonical({ ...cell, source: '' });
}

/** What a cell says; neither who trusts it nor, where ids are drawn by each browser, its id. */
export function canonical(cell: Partial<ICell>): string {
  const { metadata, ...rest } = cell as Record<string, unknown>;
  const told = { ...(metadata as Record<string, unknown> | undefined) };
  delete told.trusted;
  delete rest.id;
  return JSON.stringify(sorted({ ...rest, metadata: told }));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.every(each => typeof each === 'string')
      ? value.join('')
      : value.map(sorted);
  }
  if (value && typeof value === 'object') {
    const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(pairs.map(([key, each]) => [key, sorted(each)]));
  }
  return value;
}

function joined(source: string | string[]): string {
  return Array.isArray(source) ? source.join('') : source;
}
