import type { ICell, INotebookContent } from '@jupyterlab/nbformat';

import type { Draft, IRewindClient } from '../tokens';
import { canonical } from './draftrestore';

/** What a notebook says with a draft's edits in it. */
export interface IMerged {
  content: INotebookContent;
  /** Of so many cells the notebook held another change, in whose place the draft's is. */
  both: number;
  /** Whether what was saved since the draft began could not be left in it. */
  isOld: boolean;
}

/** The notebook that a draft is an edit of, and whether the file holds something newer. */
export interface IBasis {
  notebook: INotebookContent | null;
  isOld: boolean;
}

/**
 * Asks for what a draft is an edit of, where the file holds something newer by now: it `isSaved`
 * just now, or the history says so.
 */
export async function basisOf(
  client: Pick<IRewindClient, 'history' | 'difference'>,
  path: string,
  { checkpoint, begun }: Draft,
  isSaved = false
): Promise<IBasis> {
  if (!isSaved) {
    const [newest] = (await client.history(path, 1)).checkpoints;
    if (!newest || newest.id === checkpoint) {
      return { notebook: null, isOld: false };
    }
    if (!checkpoint) {
      const isOld = Date.parse(newest.time) > Date.parse(begun);
      return { notebook: null, isOld };
    }
  }
  if (!checkpoint) {
    return { notebook: null, isOld: true };
  }
  const found = await client
    .difference(path, checkpoint, 'present')
    // It may have expired, or be damaged: then what was saved since is not known.
    .catch(() => null);
  return { notebook: found?.notebook ?? null, isOld: found?.differs !== false };
}

/** The edits of a draft in a notebook that may have gone on since; otherwise the draft as it is. */
export function merged(
  basis: IBasis,
  draft: INotebookContent,
  present: INotebookContent
): IMerged {
  const found =
    basis.isOld && basis.notebook
      ? withEdits(basis.notebook, draft, present)
      : null;
  return found ?? { content: draft, both: 0, isOld: basis.isOld };
}

/** What `draft` changed in `base`, done to `present`; `null` where cells cannot be told apart. */
export function withEdits(
  base: INotebookContent,
  draft: INotebookContent,
  present: INotebookContent
): IMerged | null {
  const isByPlace =
    base.cells.length === draft.cells.length &&
    base.cells.length === present.cells.length &&
    [base, draft, present].every(each => each.nbformat_minor < 5);
  const [old, mine, now] = [base, draft, present].map(each =>
    named(each.cells, isByPlace)
  );
  if (!old || !mine || !now || isMoved(old, mine)) {
    return null;
  }
  const { changed, added, both } = editsOf(old, mine, now);
  const cells = [...(added.get(null) ?? [])];
  for (const [id, cell] of now) {
    const put = changed.has(id) ? changed.get(id) : cell;
    cells.push(...(put ? [put] : []), ...(added.get(id) ?? []));
  }
  const isLabelled = !same(
    { metadata: base.metadata },
    { metadata: draft.metadata }
  );
  const { metadata } = isLabelled ? draft : present;
  return { content: { ...present, metadata, cells }, both, isOld: false };
}

/**
 * The notebook as it was `before` edits were put in, which made it `after`, with all that was
 * edited since; `null` where cells cannot be told apart.
 */
export function takenOut(
  before: INotebookContent,
  after: INotebookContent,
  now: INotebookContent
): INotebookContent | null {
  const isAsItWas =
    now.cells.length === after.cells.length &&
    now.cells.every((cell, at) => same(cell, after.cells[at]));
  return isAsItWas ? before : (withEdits(after, now, before)?.content ?? null);
}

type Cells = Map<string, ICell>;

/** What a draft does to the cells of a notebook. */
interface IEdits {
  /** What takes the place of a cell: another, or nothing. */
  changed: Map<string, ICell | null>;
  /** What comes after a cell, or before all. */
  added: Map<string | null, ICell[]>;
  both: number;
}

function editsOf(old: Cells, mine: Cells, now: Cells): IEdits {
  const edits: IEdits = { changed: new Map(), added: new Map(), both: 0 };
  let last: string | null = null;
  for (const [id, cell] of mine) {
    const before = old.get(id);
    const there = now.get(id);
    last = there ? id : last;
    if (before && same(before, cell)) {
      continue;
    }
    if (there) {
      edits.changed.set(id, cell);
      edits.both += same(there, before) || same(there, cell) ? 0 : 1;
    } else {
      edits.added.set(last, [...(edits.added.get(last) ?? []), cell]);
      edits.both += before ? 1 : 0;
    }
  }
  for (const [id, before] of old) {
    const there = now.get(id);
    if (there && !mine.has(id)) {
      if (same(there, before)) {
        edits.changed.set(id, null);
      } else {
        // Deleted in the draft, and changed since: it stays.
        edits.both += 1;
      }
    }
  }
  return edits;
}

/** Cells by their ids, or by their places; `null` where some have none. */
function named(cells: ICell[], isByPlace: boolean): Cells | null {
  const found: Cells = new Map();
  cells.forEach((cell, place) => {
    const id = isByPlace ? String(place) : (cell.id as string | undefined);
    if (id) {
      found.set(id, cell);
    }
  });
  return found.size === cells.length ? found : null;
}

function isMoved(old: Cells, mine: Cells): boolean {
  const kept = [...mine.keys()].filter(id => old.has(id));
  const order = [...old.keys()].filter(id => mine.has(id));
  return kept.some((id, at) => id !== order[at]);
}

function same(one: Partial<ICell>, other?: Partial<ICell>): boolean {
  return other !== undefined && canonical(one) === canonical(other);
}
