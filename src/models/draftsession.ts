import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { DraftPlace } from '../tokens';
import { Alarm } from './alarm';
import type { IDraftContext, IDraftOptions } from './draftcontext';
import type { DraftDoc, SharedNotebook } from './draftdoc';
import { DraftEpoch, type IDraftServer, type IShelf } from './draftepoch';
import { Partings } from './draftparting';
import { Edits } from './edits';

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
    this._edits = new Edits(this.notebook, context, act => this.note(act));
    context.saveState.connect(this.onSave, this);
    context.model.stateChanged.connect(this.onState, this);
    this.notebook.disposed.connect(this.onBroken, this);
    const { model, revert } = context;
    context.revert = () => this.reread(() => revert.call(context));
    const fill = model.fromJSON;
    model.fromJSON = content => this.replace(() => fill.call(model, content));
    if (model.collaborative) {
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
    this._alarm.stop();
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

  /** Resolves when nothing of it is under way any more; never fails. */
  get done(): Promise<void> {
    return this._turn;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    const last = this._epoch;
    this._isDisposed = true;
    this._alarm.dispose();
    this._edits.dispose();
    this.context.saveState.disconnect(this.onSave, this);
    this.context.model.stateChanged.disconnect(this.onState, this);
    this.notebook.disposed.disconnect(this.onBroken, this);
    this.partings?.dispose();
    Signal.clearData(this);
    // Closed without saving: what was edited can still be found. Of what broke nobody gave it up.
    this._turn = this._turn.then(() =>
      this._isBroken ? last.doc.dispose() : this.end(last, 'closed')
    );
  }

  private get notebook(): SharedNotebook {
    return this.context.model.sharedModel;
  }

  private begin(): DraftEpoch {
    const epoch = new DraftEpoch(this.options.name(), this.notebook);
    epoch.sha256 = this.sha256;
    return epoch;
  }

  private get sha256(): string {
    const { hash, hash_algorithm } = this.context.contentsModel ?? {};
    return hash_algorithm === 'sha256' ? (hash ?? '') : '';
  }

  /** What is read from the file again is no edit; what is typed until it is there, is one. */
  private async reread(read: () => Promise<void>): Promise<void> {
    if (this._epoch.doc.isChanged) {
      await this.flush();
    }
    const before = this._epoch;
    this._rereads += 1;
    try {
      await read();
    } finally {
      this._rereads -= 1;
    }
    if (this._epoch !== before) {
      this._epoch.sha256 = this.sha256;
    }
  }

  /** `fill` puts the state of the file into the notebook; what stood there until then is kept. */
  private replace(fill: () => void): void {
    if (!this._rereads || this._isDisposed) {
      fill();
      return;
    }
    const last = this._epoch;
    const isOwing = last.doc.isChanged && (this._isOwing || this._isSending);
    last.doc.write(this.notebook);
    this._isAside = true;
    try {
      fill();
    } finally {
      this._isAside = false;
    }
    this._epoch = this.begin();
    this._next = null;
    this._isOwing = false;
    this._alarm.stop();
    this.setPlace(null);
    this._turn = this._turn.then(async () => {
      if (isOwing) {
        await this.keepElsewhere(last);
      }
      await this.end(last, 'reverted');
    });
  }

  /** What the notebook does not hold any more is on the server, or else in this browser. */
  private async keepElsewhere(epoch: DraftEpoch): Promise<void> {
    const { localPath } = this.context;
    try {
      await epoch.handOver(this.server, localPath);
      await epoch.takeBack(this.shelf);
    } catch {
      await epoch
        .putAside(this.shelf, this.options.server, localPath)
        .catch(() => undefined);
    }
  }

  // --- what is edited -----------------------------------------------------------------

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
    this._alarm.set(this.context.model.collaborative ? LIVE_PAUSE : PAUSE);
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

  /** Real-time collaboration lets go of a document whose session its server does not know. */
  private onBroken(): void {
    if (!this.context.isDisposed) {
      this._isBroken = true;
      void this.flush();
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
    this._alarm.stop();
    const kept = partings.keep(last);
    this._turn = this._turn.then(() => kept);
    this.setPlace(null);
  }

  /** What was edited up to `next` stands in the file. */
  private settle(next: DraftEpoch): void {
    this._saved.push(this._epoch);
    next.sha256 = this.sha256;
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
    return epoch.end(this.server, this.shelf, this.context.localPath, how);
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
      this._alarm.set(0);
    } else if (code === 'unknown_base' && !epoch.content) {
      this.beginAnew(epoch);
    } else {
      await this.putAside(epoch);
      this._alarm.set(this._wait);
      this._wait = Math.min(2 * this._wait, LAST_RETRY);
    }
  }

  /** The draft begins again, upon the notebook as it is now, which is sent along. */
  private beginAnew(epoch: DraftEpoch): void {
    this._epoch = this.begin();
    this._epoch.content = this.context.model.toJSON();
    this._epoch.doc.noteOrder();
    epoch.doc.dispose();
    this._alarm.set(0);
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

  /** It is time to hand over; where the server still owes an answer, this browser keeps it, too. */
  private onAlarm(): void {
    if (this._isSending) {
      void this.putAside(this._epoch);
    }
    void this.flush();
  }

  private setPlace(place: DraftPlace | null, always = false): void {
    if (place !== this._place || always) {
      this._place = place;
      this._changed.emit();
    }
  }

  private readonly _alarm = new Alarm(() => this.onAlarm());
  private _changed = new Signal<this, void>(this);
  private readonly _edits: Edits;
  private _epoch: DraftEpoch;
  private _failure: Error | null = null;
  private _isAside = false;
  private _isBroken = false;
  private _isDisposed = false;
  private _isOwing = false;
  private _isSending = false;
  private _next: DraftEpoch | null = null;
  private _place: DraftPlace | null = null;
  private _rereads = 0;
  /** What stands in the file, and whose drafts are still there. */
  private readonly _saved: DraftEpoch[] = [];
  private _turn: Promise<void> = Promise.resolve();
  private _wait = FIRST_RETRY;
  /** The server did not answer since the last save, though it may have taken the draft later. */
  private _wasAway = false;
}
