import type { IDisposable } from '@lumino/disposable';

import {
  type DraftDoc,
  type SharedCell,
  type SharedNotebook,
  touchedFields
} from './draftdoc';
import { watchSilent } from './silent';
import { areUsers, type IDescribed } from './touch';

interface INotebookChange {
  cellsChange?: unknown;
  metadataChange?: Map<string, { oldValue?: unknown }>;
}

/** Hears what is edited in a notebook, and has `note` write that down. */
export class Edits implements IDisposable {
  constructor(
    private readonly notebook: SharedNotebook,
    private readonly described: IDescribed,
    private readonly note: (act: (doc: DraftDoc) => void) => void
  ) {
    this.watch();
    notebook.changed.connect(this.onChanged, this);
    this._silent = watchSilent<SharedCell>(notebook, (cell, field) => {
      // What a running cell puts out is in its kernel's journal; told here, too, all of it would be
      // sent again with each line.
      if (field === 'metadata') {
        this.note(doc => doc.note(cell, field));
      }
    });
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._silent.dispose();
    this.notebook.changed.disconnect(this.onChanged, this);
  }

  private watch(): void {
    for (const cell of this.notebook.cells) {
      if (!this._watched.has(cell)) {
        this._watched.add(cell);
        cell.changed.connect(this.onCell, this);
      }
    }
  }

  private onCell(cell: SharedCell, change: object): void {
    const fields = touchedFields(change);
    if (fields.length && !this._isDisposed) {
      this.note(doc => doc.note(cell, ...fields));
    }
  }

  private onChanged(_: SharedNotebook, change: INotebookChange): void {
    if (change.cellsChange) {
      this.watch();
      this.note(doc => doc.noteOrder());
    }
    if (change.metadataChange) {
      const byUser = areUsers(change.metadataChange, this.described);
      this.note(doc => doc.noteMetadata(byUser));
    }
  }

  private readonly _silent: IDisposable;
  private _isDisposed = false;
  private readonly _watched = new WeakSet<SharedCell>();
}
