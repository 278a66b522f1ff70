import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type {
  Checkpoint,
  History,
  IRestored,
  IRestoreOptions,
  IRewindClient,
  ISearched
} from '../tokens';

/** How many checkpoints are fetched at first, and with each further step. */
export const STEP = 200;

/** An open document, as far as its history needs it. */
export interface IOpenDocument {
  readonly path: string;
  /** Whether it holds edits that are not on the disk. */
  readonly isDirty: boolean;
  save(): Promise<void>;
  /** Show what is on the disk now. */
  reload(): Promise<void>;
}

/** The history of the document that the user looks at. */
export class HistoryModel implements IDisposable {
  constructor(private readonly client: IRewindClient) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get document(): IOpenDocument | null {
    return this._document;
  }

  /** Looks at another document; the list is empty until the server has answered. */
  set document(value: IOpenDocument | null) {
    if (value?.path !== this._document?.path) {
      this._history = null;
      this._failure = null;
      this._limit = STEP;
      this._searched = null;
    }
    this._document = value;
    this._changed.emit();
    void this.refresh();
  }

  /** What the server told last; `null` before its first answer. */
  get history(): History | null {
    return this._history;
  }

  /** Why the last question to the server failed. */
  get failure(): Error | null {
    return this._failure;
  }

  /** Whether the server was asked and has not answered yet. */
  get isAsking(): boolean {
    return this._isAsking;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get filter(): string {
    return this._filter;
  }

  /** Only checkpoints with this text in a name or among the words of their reason. */
  set filter(value: string) {
    this._filter = value;
    this._searched = null;
    this._changed.emit();
  }

  /** The checkpoints that the filter lets through, the newest first. */
  shown(words: (checkpoint: Checkpoint) => string): Checkpoint[] {
    const wanted = this._filter.trim().toLocaleLowerCase();
    const all = this._history?.checkpoints ?? [];
    return all.filter(one => words(one).toLocaleLowerCase().includes(wanted));
  }

  /** What the last search in all versions found; `null` once something else is asked for. */
  get searched(): ISearched | null {
    return this._searched;
  }

  /** Looks for the filter's text in every version of the document. */
  async search(): Promise<void> {
    const document = this._document;
    const text = this._filter;
    if (!document || !text.trim()) {
      return;
    }
    const searched = await this.client.search(document.path, text);
    if (text === this._filter && document === this._document) {
      this._searched = searched;
      this._changed.emit();
    }
  }

  /** Whether there are older checkpoints than those at hand. */
  get hasMore(): boolean {
    const history = this._history;
    return history !== null && history.checkpoints.length < history.count;
  }

  /** Fetches older checkpoints, too. */
  async more(): Promise<void> {
    this._limit += STEP;
    await this.refresh();
  }

  /** Asks the server again. An answer that a later question has overtaken is dropped. */
  async refresh(): Promise<void> {
    const document = this._document;
    const question = ++this._question;
    if (!document || this._isDisposed) {
      return;
    }
    this._isAsking = true;
    let history: History | null = null;
    let failure: Error | null = null;
    try {
      history = await this.client.history(document.path, this._limit);
    } catch (reason) {
      failure = reason instanceof Error ? reason : new Error(String(reason));
    }
    if (question !== this._question || this._isDisposed) {
      return;
    }
    this._isAsking = false;
    this._history = history ?? this._history;
    this._failure = failure;
    this._changed.emit();
  }

  /**
   * Brings the document back to a checkpoint. Unsaved edits are saved first, so that they stand in
   * the history; where that fails, nothing is restored.
   */
  async restore(
    ref: string,
    options: IRestoreOptions = {}
  ): Promise<IRestored> {
    const document = this._document;
    if (!document) {
      throw new Error('No document is open.');
    }
    if (document.isDirty) {
      await document.save();
      if (document.isDirty) {
        throw new Error('The unsaved edits could not be saved first.');
      }
    }
    const done = await this.client.restore(document.path, ref, options);
    await document.reload();
    await this.refresh();
    return done;
  }

  async addLabel(ref: string, label: string): Promise<void> {
    await this.change(path => this.client.addLabel(path, ref, label));
  }

  async removeLabel(ref: string, label: string): Promise<void> {
    await this.change(path => this.client.removeLabel(path, ref, label));
  }

  async pin(ref: string, pinned: boolean): Promise<void> {
    await this.change(path => this.client.pin(path, ref, pinned));
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private async change(act: (path: string) => Promise<void>): Promise<void> {
    if (this._document) {
      await act(this._document.path);
      await this.refresh();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _document: IOpenDocument | null = null;
  private _failure: Error | null = null;
  private _filter = '';
  private _history: History | null = null;
  private _isAsking = false;
  private _isDisposed = false;
  private _limit = STEP;
  private _question = 0;
  private _searched: ISearched | null = null;
}
