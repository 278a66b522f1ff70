import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type * as Y from 'yjs';

/** What is needed of a shared notebook; JupyterLab's fits, and of other documents nothing is told. */
interface IShared<Cell extends object> {
  readonly cells?: readonly Cell[];
  readonly ydoc?: Y.Doc;
}

type Keys = Y.YMapEvent<unknown>['changes']['keys'];
type Shared = Y.Map<unknown> & { parent: Shared | null };

/** JupyterLab writes outputs, and what of a cell is hidden, under this name, and tells nobody. */
const SILENT = 'silent-change';

/**
 * Tells of each cell that was put out into, or of which code or outputs were hidden or shown. What
 * only tidies its metadata up, as JupyterLab does while it draws a cell, is not told of.
 */
export function watchSilent<Cell extends object>(
  notebook: object | undefined,
  told: (cell: Cell, field: 'metadata' | 'outputs') => void
): IDisposable {
  const shared = (notebook ?? {}) as IShared<Cell>;
  const { ydoc } = shared;
  const hear = (transaction: Y.Transaction) => {
    if (transaction.origin !== SILENT) {
      return;
    }
    for (const type of transaction.changed.keys()) {
      const [part, model] = placeOf(type as unknown as Shared);
      const cell = model && shared.cells?.find(each => isOf(each, model));
      if (!cell || !part) {
        continue;
      }
      if (part === model.get('outputs')) {
        told(cell, 'outputs');
      } else if (part === model.get('metadata')) {
        const events = transaction.changedParentTypes.get(type) ?? [];
        const event = events.find(each => each.target === type);
        if (event && isOther(event.changes.keys, part)) {
          told(cell, 'metadata');
        }
      }
    }
  };
  ydoc?.on('afterTransaction', hear);
  return new DisposableDelegate(() => ydoc?.off('afterTransaction', hear));
}

/** The part of a cell in which something was changed, and the cell. */
function placeOf(type: Shared): Shared[] {
  const above = [type];
  while (above[0].parent) {
    above.unshift(above[0].parent);
  }
  // All cells, one of them, and its part.
  return above.slice(1, 3).reverse();
}

const isOf = (cell: object, model: Shared) =>
  (cell as { ymodel?: unknown }).ymodel === model;

/** Whether something else is hidden than was before. */
function isOther(keys: Keys, metadata: Shared): boolean {
  const now = (name: string) => metadata.get(name);
  const before = (name: string) =>
    keys.has(name) ? (keys.get(name)?.oldValue as unknown) : now(name);
  return hidden(before) !== hidden(now);
}

function hidden(value: (name: string) => unknown): string {
  const { source_hidden, outputs_hidden } = (value('jupyter') ?? {}) as {
    source_hidden?: unknown;
    outputs_hidden?: unknown;
  };
  return `${!!source_hidden} ${!!value('collapsed') || !!outputs_hidden}`;
}
