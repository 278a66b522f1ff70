import type { ICell, INotebookContent } from '@jupyterlab/nbformat';
import * as Y from 'yjs';

import type { IShelved } from './draftshelf';

type Fields = Record<string, unknown>;

/**
 * The notebook that a draft makes, without the server's help. Where the notebook that it is an edit
 * of is not known here, it is the cells that were touched, and no others.
 */
export function copyOf(
  shelved: Pick<IShelved, 'content' | 'update'>
): INotebookContent {
  const document = new Y.Doc();
  Y.applyUpdate(document, shelved.update);
  const told = document.getMap('draft').toJSON() as Record<string, string>;
  const touched = document.getMap('cells').toJSON() as Record<string, Fields>;
  document.destroy();
  const base = shelved.content as INotebookContent | null;
  const known = base?.cells ?? [];
  const hasIds = (base?.nbformat_minor ?? 4) > 4;
  const places = Object.keys(touched)
    .map(Number)
    .filter(place => !Number.isNaN(place));
  const length = base ? known.length : Math.max(-1, ...places) + 1;
  const order = told.order
    ? (JSON.parse(told.order) as (string | [number, number])[])
    : [[0, length] as [number, number]];
  const cells: ICell[] = [];
  for (const item of order) {
    if (typeof item === 'string') {
      cells.push(cellOf({}, touched[item] ?? {}, hasIds));
      continue;
    }
    const [first, count] = item;
    for (let place = first; place < first + count; place++) {
      const fields = touched[String(place)];
      if (fields || known[place]) {
        cells.push(cellOf(known[place] ?? {}, fields ?? {}, hasIds));
      }
    }
  }
  const metadata = told.metadata ? JSON.parse(told.metadata) : base?.metadata;
  return {
    cells,
    metadata: metadata ?? {},
    nbformat: base?.nbformat ?? 4,
    nbformat_minor: base?.nbformat_minor ?? 4
  };
}

function cellOf(
  before: Partial<ICell>,
  fields: Fields,
  hasIds: boolean
): ICell {
  const cell: Fields = { ...before };
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'source') {
      cell.source = value;
    } else if (name === 'outputs') {
      cell.outputs = (value as (string | Record<string, string>)[]).map(
        outputOf
      );
    } else if (value === '') {
      delete cell[name];
    } else {
      cell[name] = JSON.parse(value as string);
    }
  }
  if (!hasIds) {
    delete cell.id;
  }
  const type = (cell.cell_type as string | undefined) ?? 'code';
  const needed =
    type === 'code' ? { outputs: [], execution_count: null } : undefined;
  return { source: '', metadata: {}, ...needed, ...cell, cell_type: type };
}

function outputOf(told: string | Record<string, string>): unknown {
  return typeof told === 'string'
    ? JSON.parse(told)
    : { ...JSON.parse(told.output), text: told.text };
}
