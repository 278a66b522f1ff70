import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { DraftPlace } from '../tokens';
import type { IDraftContext, IDraftOptions } from './draftcontext';
import {
  type DraftDoc,
  type SharedCell,
  type SharedNotebook,
  touchedFields
} from './draftdoc';
import { DraftEpoch, type IDraftServer, type IShelf } from './draftepoch';
import { Partings } from './draftparting';
import { areUsers } from './touch';

/** So long after an edit it is handed over, with what came meanwhile. */
export const PAUSE = 300;

/** A live document is saved by its server within this time, where that can be reached. */
const LIVE_PAUSE = 3000;
/** When the server has not confirmed by then, this browser keeps the edits, too. */
const PATIENCE = 600;

const FIRST_RETRY = 1000;
const LAST_RETRY = 15_000;

/** Hands over what is edited in one open notebook, as long as it is open. */
export class DraftSession implements IDisposable {
  constructor(
    private readonly context: IDraftContext,
    private readonly server: IDraftServer,
    private readonly shelf: IShelf,
    private readonly options: IDraftOptions
  ) {
    this._epoch = this.begin();
    this.watch(this.notebook.cells);
    this.notebook.changed.connect(this.onChanged, this);
    context.saveState.connect(this.onSave, this);
    context.model.stateChanged.connect(this.onState, this);
    const revert = context.revert;
    context.revert = () => this.aside(() => revert.call(context));
    if (context.model.collaborative) {
      this.partings = new Partings(context, server, shelf, options.server);
      this.partings.coming.connect(this.onComing, this);
    }
  }

  /** Edits of a shared notebook from while its server was away. */
  readonly partings: Partings | null = null;

  /** Other edits are kept elsewhere than before, or a failure to keep them came or went. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Where all unsaved edits are kept; `null` while some are in this page only. */
  get place(): DraftPlace | null {
    return this._place;
  }

  /** Why the edits can be kept nowhere but in this page. */
  get failure(): Error | null {
    return this._failure;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Hands over what is edited so far; resolves when it is kept or cannot be now. */
  flush(): Promise<void> {
    this.stopTimer();
    this._turn = this._turn.then(() => this.send(this._epoch));
    return this._turn;
  }

  /** Tries again at once: the server may be back. */
  retry(): void {
    this._wait = FIRST_RETRY;
    if (this.isOwing(this._epoch)) {
      void this.flush();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    const last = this._epoch;
    this._isDisposed = true;
    this.stopTimer();
    this.notebook.changed.disconnect(this.onChanged, this);
    this.context.saveState.disconnect(this.onSave, this);
    this.context.model.stateChanged.disconnect(this.onState, this);
    this.partings?.dispose();
    Signal.clearData(this);
    if (last.isKept) {
      // Closed without saving: what was edited can still be found.
      void this._turn.then(() => this.end(last, 'closed'));
    }
  }

  private get notebook(): SharedNotebook {
    return this.context.model.sharedModel;
  }

  private begin(): DraftEpoch {
    const epoch = new DraftEpoch(this.options.name(), this.notebook);
    const { contentsModel } = this.context;
    if (contentsModel?.hash_algorithm === 'sha256' && contentsModel.hash) {
      epoch.sha256 = contentsModel.hash;
    }
    return epoch;
  }

  /** `act` puts another state into the notebook, which is no edit of anybody's. */
  private async aside(act: () => Promise<void>): Promise<void> {
    this._isAside += 1;
    const last = this._epoch;
    try {
      if (last.doc.isChanged) {
        await this.flush();
      }
      await act();
    } finally {
      this._isAside -= 1;
    }
    if (!this._isDisposed) {
      this._epoch = this.begin();
      this._next = null;
      this.setPlace(null);
      void this._turn.then(() => this.end(last, 'reverted'));
    }
  }

  // --- what is edited -----------------------------------------------------------------

  private watch(cells: readonly SharedCell[]): void {
    for (const cell of cells) {
      if (!this._watched.has(cell)) {
        this._watched.add(cell);
        cell.changed.connect(this.onCell, this);
      }
    }
  }

  private onCell(cell: SharedCell, change: object): void {
    const fields = touchedFields(change);
    if (fields.length) {
      this.note(doc => doc.note(cell, ...fields));
    }
  }

  private onChanged(
    _: SharedNotebook,
    change: {
      cellsChange?: unknown;
      metadataChange?: Map<string, { oldValue?: unknown }>;
    }
  ): void {
    if (change.cellsChange) {
      this.watch(this.notebook.cells);
      this.note(doc => doc.noteOrder());
    }
    if (change.metadataChange) {
      const byUser = areUsers(change.metadataChange, this.context);
      this.note(doc => doc.noteMetadata(byUser));
    }
  }

  private note(act: (doc: DraftDoc) => void): void {
    if (this._isAside || this._isDisposed) {
      return;
    }
    act(this._epoch.doc);
    if (this._next) {
      act(this._next.doc);
    }
    if (!this._epoch.doc.isChanged) {
      return;
    }
    this._isOwing = true;
    this.setPlace(this._place === 'browser' ? null : this._place && 'sending');
    this.startTimer(this.context.model.collaborative ? LIVE_PAUSE : PAUSE);
  }

  // --- saving -------------------------------------------------------------------------

  private onSave(_: unknown, state: string): void {
    if (this._isAside || this.context.model.collaborative) {
      return;
    }
    if (state === 'started') {
      // What is edited from now on is not in the content that is being saved.
      this._next = this.begin();
    } else if (state === 'failed') {
      this._next = null;
    } else if (state.startsWith('completed') && this._next) {
      this.settle(this._next);
      if (this._epoch.doc.isChanged) {
        // JupyterLab takes them for saved.
        this.context.model.dirty = true;
      }
    }
  }

  /** A live document was saved by its server. */
  private onState(_: unknown, change: { name: string }): void {
    const { model } = this.context;
    if (change.name === 'dirty' && model.collaborative && !model.dirty) {
      this.settle(this.begin());
    }
  }

  /** The server is there again, and what comes from it may undo what was typed meanwhile. */
  private onComing(partings: Partings, isAnew: boolean): void {
    const last = this._epoch;
    if (!isAnew && !this._wasAway) {
      return;
    }
    this._wasAway = false;
    if (!last.doc.isChanged || this._isAside) {
      return;
    }
    last.doc.write(this.notebook);
    this._epoch = this.begin();
    this._isOwing = false;
    this.stopTimer();
    const kept = partings.keep(last);
    this._turn = this._turn.then(() => kept);
    this.setPlace(null);
  }

  /** What was edited up to `next` stands in the file. */
  private settle(next: DraftEpoch): void {
    this._saved.push(this._epoch);
    const { hash, hash_algorithm } = this.context.contentsModel ?? {};
    next.sha256 = hash_algorithm === 'sha256' ? (hash ?? '') : '';
    this._epoch = next;
    this._next = null;
    this._isOwing = next.doc.isChanged;
    const hadFailed = this._failure !== null;
    this._failure = null;
    this._wasAway = false;
    this.setPlace(null, hadFailed);
    // What was typed while it was saved stands in the old draft alone: first it is kept anew.
    this._turn = this.flush().then(() => this.forgetSaved());
  }

  /** Drafts of what stands in the file go, once what was edited since is kept elsewhere. */
  private async forgetSaved(): Promise<void> {
    const { doc, isKept } = this._epoch;
    const gone = isKept || !doc.isChanged ? this._saved.splice(0) : [];
    for (const saved of gone) {
      await saved.forget(this.server, this.shelf, this.context.localPath);
    }
  }

  private end(epoch: DraftEpoch, how: string): Promise<void> {
    return epoch.end(this.server, this.context.localPath, how);
  }

  // --- handing over -------------------------------------------------------------------

  private isOwing(epoch: DraftEpoch): boolean {
    return this._isOwing && epoch.doc.isChanged;
  }

  private async send(epoch: DraftEpoch): Promise<void> {
    if (epoch !== this._epoch || !this.isOwing(epoch)) {
      return;
    }
    this._isOwing = false;
    epoch.doc.write(this.notebook);
    this._isSending = true;
    const slow = setTimeout(() => void this.putAside(epoch), PATIENCE);
    try {
      await epoch.handOver(this.server, this.context.localPath);
      clearTimeout(slow);
      await this.onConfirmed(epoch);
    } catch (reason) {
      clearTimeout(slow);
      await this.onRefusal(epoch, reason);
    } finally {
      this._isSending = false;
    }
  }

  private async onConfirmed(epoch: DraftEpoch): Promise<void> {
    if (epoch !== this._epoch) {
      return;
    }
    this._wait = FIRST_RETRY;
    this._failure = null;
    this.setPlace(this._isOwing ? 'sending' : 'server');
    if (!this._isOwing) {
      await epoch.takeBack(this.shelf).catch(() => undefined);
    }
    await this.forgetSaved();
  }

  private async onRefusal(epoch: DraftEpoch, reason: unknown): Promise<void> {
    if (epoch !== this._epoch || this._isDisposed) {
      return;
    }
    this._isOwing = true;
    const code = (reason as { code?: string }).code ?? '';
    if (epoch.sendAnew(code)) {
      this.startTimer(0);
    } else if (code === 'unknown_base' && !epoch.content) {
      this.beginAnew(epoch);
    } else {
      await this.putAside(epoch);
      this.startTimer(this._wait);
      this._wait = Math.min(2 * this._wait, LAST_RETRY);
    }
  }

  /** The draft begins again, upon the notebook as it is now, which is sent along. */
  private beginAnew(epoch: DraftEpoch): void {
    this._epoch = this.begin();
    this._epoch.content = this.context.model.toJSON();
    this._epoch.doc.noteOrder();
    epoch.doc.dispose();
    this.startTimer(0);
  }

  /** This browser keeps what the server has not confirmed. */
  private async putAside(epoch: DraftEpoch): Promise<void> {
    if (epoch !== this._epoch) {
      return;
    }
    this._wasAway = true;
    epoch.doc.write(this.notebook);
    let failure: Error | null = null;
    try {
      const { localPath } = this.context;
      await epoch.putAside(this.shelf, this.options.server, localPath);
    } catch (reason) {
      failure = reason instanceof Error ? reason : new Error(String(reason));
    }
    if (epoch === this._epoch && this._place !== 'server') {
      this._failure = failure;
      this.setPlace(failure ? null : 'browser', true);
    }
  }

  private startTimer(milliseconds: number): void {
    if (this._isDisposed) {
      return;
    }
    const due = Date.now() + milliseconds;
    if (this._timer !== null && this._due <= due) {
      return;
    }
    this.stopTimer();
    this._due = due;
    this._timer = setTimeout(() => {
      this._timer = null;
      if (this._isSending) {
        void this.putAside(this._epoch);
      }
      void this.flush();
    }, milliseconds);
  }

  private stopTimer(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
  }

  private setPlace(place: DraftPlace | null, always = false): void {
    if (place !== this._place || always) {
      this._place = place;
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  private _due = 0;
  private _epoch: DraftEpoch;
  private _failure: Error | null = null;
  private _isAside = 0;
  private _isDisposed = false;
  private _isOwing = false;
  private _isSending = false;
  private _next: DraftEpoch | null = null;
  private _place: DraftPlace | null = null;
  /** What stands in the file, and whose drafts are still there. */
  private readonly _saved: DraftEpoch[] = [];
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _turn: Promise<void> = Promise.resolve();
  private _wait = FIRST_RETRY;
  /** The server did not answer since the last save, though it may have taken the draft later. */
  private _wasAway = false;
  private readonly _watched = new WeakSet<SharedCell>();
}
