import type { INotebookContent } from '@jupyterlab/nbformat';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { Draft, IRewindClient } from '../tokens';
import {
  basisOf,
  type IBasis,
  type IMerged,
  merged,
  takenOut
} from './draftmerge';
import { putInto } from './draftrestore';

/** So often the present is saved while somebody goes on typing. */
const MOST_SAVES = 3;

/** An open notebook that edits come back into. */
export interface IReturnPlace {
  readonly path: string;
  /** Whether it holds what is in no file. */
  readonly isDirty: boolean;
  /** Whether it is closed by now. */
  readonly isGone: boolean;
  save(): Promise<void>;
  read(): INotebookContent;
  put(content: INotebookContent): void;
}

/** What became of edits that were put in. */
export interface IReturned extends Pick<IMerged, 'both' | 'isOld'> {
  /** Whether a part of them is damaged and missing. */
  isDamaged: boolean;
  /** Takes them out again, and nothing that was edited since; whether that could be done. */
  takeOut(): boolean;
}

/** An open notebook as such a place; `path` is its own on the server. */
export function placeOf(panel: NotebookPanel, path: string): IReturnPlace {
  const { content, context } = panel;
  const { model } = context;
  return {
    path,
    get isDirty() {
      // What is shared is the server's to save.
      return !context.isDisposed && !model.collaborative && model.dirty;
    },
    get isGone() {
      return context.isDisposed || !content.model;
    },
    save: () => context.save(),
    read: () => model.toJSON() as INotebookContent,
    put: wanted => putInto(model.sharedModel, wanted)
  };
}

/**
 * Puts the edits of a draft into an open notebook. What stands there and is in no file is saved
 * first: it stays in the history, and where the edits do not touch it, in the notebook, too. Where
 * that fails nothing is put in. Tells what was done; `null` where the notebook was closed meanwhile.
 */
export async function putBack(
  client: Pick<IRewindClient, 'draft' | 'history' | 'difference'>,
  draft: Draft,
  place: IReturnPlace
): Promise<IReturned | null> {
  const { path } = place;
  const { notebook, lost } = await client.draft(path, draft.draft);
  let basis: IBasis;
  let saves = 0;
  do {
    if (place.isDirty && !place.isGone) {
      await place.save();
      saves += 1;
    }
    basis = await basisOf(client, path, draft, saves > 0);
  } while (place.isDirty && !place.isGone && saves < MOST_SAVES);
  if (place.isGone) {
    return null;
  }
  const before = place.read();
  const edited = notebook as unknown as INotebookContent;
  const { content, both, isOld } = merged(basis, edited, before);
  place.put(content);
  const after = place.read();
  const takeOut = () => {
    const rest = takenOut(before, after, place.read());
    if (rest) {
      place.put(rest);
    }
    return rest !== null;
  };
  return { both, isOld, isDamaged: lost > 0, takeOut };
}
