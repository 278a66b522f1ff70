import type { INotebookContent } from '@jupyterlab/nbformat';

export type Json = Record<string, unknown>;

/** A cell of code, under an id of its own. */
export function code(source: string, outputs: Json[] = []): Json {
  const id = `c${Math.random().toString(36).slice(2)}`;
  return {
    cell_type: 'code',
    id,
    metadata: {},
    source,
    outputs,
    execution_count: null
  };
}

/** A notebook of these cells. */
export function book(...cells: Json[]): INotebookContent {
  return {
    cells,
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5
  } as unknown as INotebookContent;
}
