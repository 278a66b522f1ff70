import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import type * as Y from 'yjs';

/** What is needed of a shared notebook; JupyterLab's fits, and of other documents nothing is told. */
interface IHiding<Cell extends object> {
  readonly cells?: readonly Cell[];
  readonly ydoc?: Y.Doc;
}

type Keys = Y.YMapEvent<unknown>['changes']['keys'];

/** JupyterLab hides and shows what is in cells under this name, and tells nobody. */
const SILENT = 'silent-change';

/**
 * Tells of each cell of which code or outputs were hidden or shown. What only tidies the metadata
 * up, as JupyterLab does while it draws a cell, is not told of.
 */
export function watchHiding<Cell extends object>(
  notebook: object | undefined,
  told: (cell: Cell) => void
): IDisposable {
  const shared = (notebook ?? {}) as IHiding<Cell>;
  const { ydoc } = shared;
  const hear = ({ origin, changed, changedParentTypes }: Y.Transaction) => {
    if (origin !== SILENT) {
      return;
    }
    for (const [type, names] of changed) {
      if (!names.has('jupyter') && !names.has('collapsed')) {
        continue;
      }
      const cell = shared.cells?.find(each => is(metadataOf(each), type));
      const events = changedParentTypes.get(type) ?? [];
      const event = events.find(each => each.target === type);
      if (cell && event && isOther(event.changes.keys, metadataOf(cell))) {
        told(cell);
      }
    }
  };
  ydoc?.on('afterTransaction', hear);
  return new DisposableDelegate(() => ydoc?.off('afterTransaction', hear));
}

/** Whether both are the same; to the compiler their kinds differ. */
const is = (one: unknown, other: unknown) => one === other;

function metadataOf(cell: object): Y.Map<unknown> | undefined {
  const { ymodel } = cell as { ymodel?: Y.Map<unknown> };
  return ymodel?.get('metadata') as Y.Map<unknown> | undefined;
}

/** Whether something else is hidden than was before. */
function isOther(keys: Keys, metadata?: Y.Map<unknown>): boolean {
  const now = (name: string) => metadata?.get(name);
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
