import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type {
  Checkpoint,
  History,
  IPage,
  IRestored,
  IRestoreOptions,
  IRewindClient,
  ISearched
} from '../tokens';
import { Choices } from './choices';
import {
  checkpointEntry,
  executionEntry,
  type HistoryEntry,
  type Kind,
  KINDS,
  mergeParts,
  oldestOf,
  stateEntry
} from './entries';
import { pageOf, Pages } from './pages';
import { restoreDocument } from './restoring';
import { Searching } from './searching';

/** An open document, as far as its history needs it. */
export interface IOpenDocument {
  readonly path: string;
  /** Whether it has cells, whatever the file is called. */
  readonly isNotebook: boolean;
  /** Whether it holds edits that are not on the disk. */
  readonly isDirty: boolean;
  /** What stands in its tab: a notebook, or a text; `null` where it is closed or neither. */
  readonly content: unknown;
  /** Jupyter's id of the kernel that runs for it, if one does. */
  readonly kernel: string | null;
  save(): Promise<void>;
  /** Show what is on the disk now. */
  reload(): Promise<void>;
}

const OF_A_TEXT: ReadonlySet<Kind> = new Set<Kind>(['checkpoint']);

/** The history of the document that the user looks at: its checkpoints, and what ran between. */
export class HistoryModel implements IDisposable {
  constructor(
    private readonly client: IRewindClient,
    private readonly choices = new Choices()
  ) {
    choices.changed.connect(this.onChosen, this);
    this._searching = new Searching(client, () => this.tell());
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get document(): IOpenDocument | null {
    return this._document;
  }

  /** Where there is none: whether one is open that lies on another drive. */
  isElsewhere = false;

  /** Looks at another document; the list is empty until the server has answered. */
  set document(value: IOpenDocument | null) {
    if (value?.path !== this._document?.path) {
      this._history = null;
      this._states = {};
      this._failure = null;
      this._answered = this._turns;
      this._searching.forget();
      Object.values(this._lists).forEach(list => list.clear());
    }
    this._document = value;
    this.tell();
    void this.refresh();
  }

  /** Whether anybody looks; until then the server is not asked. */
  get isLookedAt(): boolean {
    return this._isLookedAt;
  }

  set isLookedAt(value: boolean) {
    const begins = value && !this._isLookedAt;
    this._isLookedAt = value;
    if (begins) {
      void this.refresh(true);
    }
  }

  /** What the server told last of the file as a whole; `null` before its first answer. */
  get history(): History | null {
    return this._history;
  }

  /** The checkpoints at hand, the newest first. */
  get checkpoints(): Checkpoint[] {
    return this._lists.checkpoint.items.flatMap(one =>
      one.kind === 'checkpoint' ? [one.checkpoint] : []
    );
  }

  /** The state of the kernel that belongs to a checkpoint, by its count. */
  stateOf(checkpoint: string): number | undefined {
    return this._states[checkpoint]?.count;
  }

  /** Why the last question to the server failed. */
  get failure(): Error | null {
    return this._failure;
  }

  /** Whether the server was asked and has not answered yet. */
  get isAsking(): boolean {
    return this._asked > 0;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  get filter(): string {
    return this._filter;
  }

  /** Only entries with this text among their words. */
  set filter(value: string) {
    this._filter = value;
    this._searching.forget();
    this.tell();
  }

  /** Which kinds of entries are listed; nothing runs in a text. */
  get kinds(): ReadonlySet<Kind> {
    const isText = this._document?.isNotebook === false;
    return isText ? OF_A_TEXT : this.choices.kinds;
  }

  /** Lists another kind, too, or no longer. */
  toggle(kind: Kind): void {
    const kinds = new Set(this.kinds);
    if (!kinds.delete(kind)) {
      kinds.add(kind);
    }
    this.choices.kinds = kinds;
  }

  /** All entries at hand of the kinds that are listed, the newest first; the same until a change. */
  get entries(): HistoryEntry[] {
    this._entries ??= mergeParts(this.listed());
    return this._entries;
  }

  /** The entries that the filter lets through; `words` are those that it looks into. */
  shown(words: (entry: HistoryEntry) => string): HistoryEntry[] {
    const wanted = this._filter.trim().toLocaleLowerCase();
    return wanted
      ? this.entries.filter(one =>
          words(one).toLocaleLowerCase().includes(wanted)
        )
      : this.entries;
  }

  /** What the last search in all versions found; `null` once something else is asked for. */
  get searched(): ISearched | null {
    return this._searching.found;
  }

  /** Whether the server searches just now. */
  get isSearching(): boolean {
    return this._searching.isAsking;
  }

  /** Looks for the filter's text in every version of the document. */
  async search(): Promise<void> {
    if (this._document && this._filter.trim()) {
      await this._searching.ask(this._document.path, this._filter);
    }
  }

  /** Whether there are older entries than those at hand. */
  get hasMore(): boolean {
    return this.listed().some(list => list.hasMore);
  }

  /** Fetches older entries, of the kind that ends first. */
  async more(): Promise<void> {
    const [first] = this.listed()
      .filter(list => list.hasMore)
      .sort((one, other) => oldestOf(other) - oldestOf(one));
    if (first && !this.isAsking) {
      await this.ask(() => first.more());
    }
  }

  /** Fetches checkpoints until so many are at hand. */
  async reach(count: number): Promise<void> {
    if (!this.isAsking) {
      await this.ask(() => this._lists.checkpoint.more(count));
    }
  }

  /** Asks the server for what is new, where anybody looks; with `whole` also for all that is at hand. */
  async refresh(whole = false): Promise<void> {
    await this.refreshLists(this.listed(), whole);
  }

  /** The same for runs and states alone, where they are listed. */
  async refreshRan(whole = false): Promise<void> {
    const lists = this.listed();
    await this.refreshLists(
      lists.filter(list => list !== this._lists.checkpoint),
      whole
    );
  }

  /** Brings a document, usually the one that is looked at, back to a checkpoint. */
  async restore(
    ref: string,
    options: IRestoreOptions = {},
    document = this._document
  ): Promise<IRestored> {
    if (!document) {
      throw new Error('No document is open.');
    }
    try {
      return await restoreDocument(this.client, document, ref, options);
    } finally {
      await this.refresh();
    }
  }

  /** Gives a checkpoint a name; the one that had it before is told, where there is one. */
  async addLabel(ref: string, label: string): Promise<string | null> {
    let before: string | null = null;
    await this.change(async path => {
      const named = await this.client.addLabel(path, ref, label);
      const { moved_from, ...checkpoint } = named;
      before = moved_from;
      if (moved_from) {
        this.put(moved_from, one => ({
          ...one,
          labels: one.labels.filter(each => each !== label)
        }));
      }
      return checkpoint;
    });
    return before;
  }

  async removeLabel(ref: string, label: string): Promise<void> {
    await this.change(path => this.client.removeLabel(path, ref, label));
  }

  async pin(ref: string, pinned: boolean): Promise<void> {
    await this.change(path => this.client.pin(path, ref, pinned));
  }

  dispose(): void {
    this._isDisposed = true;
    this.choices.changed.disconnect(this.onChosen, this);
    Signal.clearData(this);
  }

  private onChosen(): void {
    this.tell();
    void this.refresh();
  }

  /** The lists of the kinds that are shown. */
  private listed(): Pages<HistoryEntry>[] {
    return KINDS.filter(kind => this.kinds.has(kind)).map(
      kind => this._lists[kind]
    );
  }

  private async refreshLists(
    lists: Pages<HistoryEntry>[],
    whole: boolean
  ): Promise<void> {
    if (this._document && this._isLookedAt && lists.length) {
      const covers = lists.includes(this._lists.checkpoint);
      await this.ask(
        () => Promise.all(lists.map(list => list.refresh(whole))),
        covers
      );
    }
  }

  /**
   * Asks the server, and tells whoever looks what came of it. An earlier failure stands until all
   * that it may have been about is there: what `covers` it. What was asked before that says no more.
   */
  private async ask(
    question: () => Promise<unknown>,
    covers = false
  ): Promise<void> {
    const path = this._document?.path;
    const turn = ++this._turns;
    let failure: Error | null = null;
    this._asked += 1;
    try {
      await question();
    } catch (reason) {
      failure = reason instanceof Error ? reason : new Error(String(reason));
    }
    this._asked -= 1;
    if (path !== this._document?.path) {
      return;
    }
    if (turn > this._answered) {
      this._failure = failure ?? (covers ? null : this._failure);
      this._answered = covers ? turn : this._answered;
    }
    this.tell();
  }

  private async askCheckpoints(
    limit: number,
    before?: string
  ): Promise<IPage<HistoryEntry>> {
    const path = this.path;
    const number = ++this._questions;
    const history = await this.client.history(path, limit, before);
    if (path === this._document?.path && number === this._questions) {
      this._history = history;
      this._states = { ...this._states, ...history.states };
    }
    const items = history.checkpoints.map(checkpointEntry);
    return pageOf(items, history.count, limit, before);
  }

  private async change(
    act: (path: string) => Promise<Checkpoint>
  ): Promise<void> {
    if (this._document) {
      const changed = await act(this._document.path);
      this.put(changed.id, () => changed);
      this.tell();
    }
  }

  private put(id: string, change: (one: Checkpoint) => Checkpoint): void {
    this._lists.checkpoint.change(id, one =>
      one.kind === 'checkpoint' ? checkpointEntry(change(one.checkpoint)) : one
    );
  }

  private get path(): string {
    return this._document?.path ?? '';
  }

  private tell(): void {
    if (!this._isDisposed) {
      this._entries = null;
      this._changed.emit();
    }
  }

  private _answered = 0;
  private _asked = 0;
  private _changed = new Signal<this, void>(this);
  private _document: IOpenDocument | null = null;
  private _entries: HistoryEntry[] | null = null;
  private _failure: Error | null = null;
  private _filter = '';
  private _history: History | null = null;
  private _isDisposed = false;
  private _isLookedAt = false;
  private _lists: Record<Kind, Pages<HistoryEntry>> = {
    checkpoint: new Pages(this.askCheckpoints.bind(this)),
    execution: new Pages(async (limit, before) =>
      mapped(
        await this.client.executions(this.path, limit, before),
        executionEntry
      )
    ),
    state: new Pages(async (limit, before) =>
      mapped(await this.client.snapshots(this.path, limit, before), stateEntry)
    )
  };
  private _questions = 0;
  private readonly _searching: Searching;
  private _states: History['states'] = {};
  private _turns = 0;
}

function mapped<T>(
  { items, more }: IPage<T>,
  entryOf: (one: T) => HistoryEntry
): IPage<HistoryEntry> {
  return { items: items.map(entryOf), more };
}
