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
  const wanted = content.cells.map(canonical);
  notebook.transact(() => {
    const present = notebook.cells.map(cell => canonical(cell.toJSON()));
    const shorter = Math.min(present.length, wanted.length);
    let front = 0;
    while (front < shorter && present[front] === wanted[front]) {
      front += 1;
    }
    let back = 0;
    while (
      back < shorter - front &&
      present[present.length - 1 - back] === wanted[wanted.length - 1 - back]
    ) {
      back += 1;
    }
    const until = present.length - back;
    if (present.length === wanted.length) {
      for (let at = front; at < until; at++) {
        if (present[at] !== wanted[at]) {
          replace(notebook, at, content.cells[at]);
        }
      }
    } else {
      const fresh = content.cells.slice(front, wanted.length - back);
      // First the new ones: a notebook is never without a cell.
      notebook.insertCells(until, fresh as SharedInput[]);
      if (until > front) {
        notebook.deleteCellRange(front, until);
      }
    }
    if (
      JSON.stringify(notebook.getMetadata()) !==
      JSON.stringify(content.metadata)
    ) {
      notebook.setMetadata(content.metadata);
    }
  });
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
