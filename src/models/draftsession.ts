import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { DraftPlace } from '../tokens';
import { type IBase, takeBase } from './draftbase';
import {
  DraftDoc,
  type Field,
  type SharedCell,
  type SharedNotebook
} from './draftdoc';
import type { IShelved } from './draftshelf';

/** So long after an edit it is handed over, with what came meanwhile. */
export const PAUSE = 300;

/** A live document is saved by its server within this time, as long as that can be reached. */
const LIVE_PAUSE = 3000;

/** When the server has not confirmed by then, this browser keeps the edits, too. */
const PATIENCE = 600;

const FIRST_RETRY = 1000;
const LAST_RETRY = 15_000;

/** So many bytes in updates are sent together, once they are more than the edits themselves. */
const COMPACT_BYTES = 1 << 18;

/** What of a cell's change means which fields. */
const FIELDS: Record<string, Field> = {
  sourceChange: 'source',
  outputsChange: 'outputs',
  streamOutputChange: 'outputs',
  executionCountChange: 'execution_count',
  metadataChange: 'metadata',
  attachmentsChange: 'attachments'
};

/** Metadata that a kernel sets when it starts. */
const BY_KERNEL = new Set(['kernelspec', 'language_info']);

/** What is needed of a notebook's context; JupyterLab's fits. */
export interface IDraftContext {
  readonly localPath: string;
  readonly contentsModel: {
    hash?: string | null;
    hash_algorithm?: string | null;
  } | null;
  readonly saveState: ISignal<unknown, string>;
  readonly model: {
    dirty: boolean;
    readonly collaborative?: boolean;
    readonly sharedModel: SharedNotebook;
    readonly stateChanged: ISignal<unknown, { name: string }>;
    toJSON(): unknown;
  };
  revert(): Promise<void>;
}

/** Where drafts are handed over. */
export interface IDraftServer {
  beginDraft(
    path: string,
    draft: string,
    base: IBase | null,
    content: unknown,
    update: Uint8Array
  ): Promise<void>;
  appendDraft(
    path: string,
    draft: string,
    update: Uint8Array,
    whole: boolean
  ): Promise<void>;
  endDraft(path: string, draft: string, how: string): Promise<void>;
  discardDraft(path: string, draft: string): Promise<void>;
}

/** Where drafts are kept while the server is away. */
export interface IShelf {
  put(shelved: IShelved): Promise<void>;
  remove(draft: string): Promise<void>;
}

/** What was edited since one state of the file. */
class Epoch {
  constructor(
    readonly id: string,
    notebook: SharedNotebook
  ) {
    this.doc = new DraftDoc(notebook.cells);
    this.base = takeBase(notebook.cells);
  }

  readonly doc: DraftDoc;
  readonly base: () => IBase;
  sha256 = '';
  content: unknown = null;
  /** How far the server has it; `null` while it has nothing. */
  confirmed: Uint8Array | null = null;
  sentBytes = 0;
  isShelved = false;
}

/** Hands over what is edited in one open notebook, as long as it is open. */
export class DraftSession implements IDisposable {
  constructor(
    private readonly context: IDraftContext,
    private readonly server: IDraftServer,
    private readonly shelf: IShelf,
    private readonly options: {
      /** The address of the server. */
      server: string;
      /** A new name for a draft of this session. */
      name: () => string;
    }
  ) {
    this._epoch = this.begin();
    this.watch(this.notebook.cells);
    this.notebook.changed.connect(this.onChanged, this);
    context.saveState.connect(this.onSave, this);
    context.model.stateChanged.connect(this.onState, this);
    const revert = context.revert;
    context.revert = () => this.aside(() => revert.call(context));
  }

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
  async flush(): Promise<void> {
    this.stopTimer();
    const turn = this._turn.then(() => this.send(this._epoch));
    this._turn = turn.catch(() => undefined);
    await turn;
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
    const isKept = last.confirmed !== null || last.isShelved;
    this._isDisposed = true;
    this.stopTimer();
    this.notebook.changed.disconnect(this.onChanged, this);
    this.context.saveState.disconnect(this.onSave, this);
    this.context.model.stateChanged.disconnect(this.onState, this);
    Signal.clearData(this);
    if (isKept) {
      // Closed without saving: what was edited can still be found.
      void this._turn.then(() => this.end(last, 'closed'));
    }
  }

  private get notebook(): SharedNotebook {
    return this.context.model.sharedModel;
  }

  private begin(): Epoch {
    const epoch = new Epoch(this.options.name(), this.notebook);
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
    const fields = Object.keys(change)
      .map(name => FIELDS[name])
      .filter(field => field !== undefined);
    if (fields.length === 1 && fields[0] === 'metadata' && isTrust(change)) {
      return;
    }
    if (fields.length) {
      this.note(doc => doc.note(cell, ...fields));
    }
  }

  private onChanged(
    _: SharedNotebook,
    change: { cellsChange?: unknown; metadataChange?: Map<string, unknown> }
  ): void {
    if (change.cellsChange) {
      this.watch(this.notebook.cells);
      this.note(doc => doc.noteOrder());
    }
    if (change.metadataChange) {
      const keys = [...change.metadataChange.keys()];
      const byUser = keys.some(key => !BY_KERNEL.has(key));
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
    this.setPlace(null);
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

  /** What was edited up to `next` stands in the file. */
  private settle(next: Epoch): void {
    const saved = this._epoch;
    const { hash, hash_algorithm } = this.context.contentsModel ?? {};
    next.sha256 = hash_algorithm === 'sha256' ? (hash ?? '') : '';
    this._epoch = next;
    this._next = null;
    this._isOwing = next.doc.isChanged;
    this._failure = null;
    this.setPlace(null);
    if (this._isOwing) {
      this.startTimer(PAUSE);
    } else {
      this.stopTimer();
    }
    this._turn = this._turn.then(() => this.forget(saved));
  }

  /** A draft whose edits were saved is needed no more. */
  private async forget(epoch: Epoch): Promise<void> {
    epoch.doc.dispose();
    try {
      if (epoch.confirmed) {
        await this.server.discardDraft(this.context.localPath, epoch.id);
      }
      if (epoch.isShelved) {
        await this.shelf.remove(epoch.id);
      }
    } catch {
      // Whoever finds it sees that its edits were saved.
    }
  }

  private async end(epoch: Epoch, how: string): Promise<void> {
    try {
      if (epoch.confirmed) {
        await this.server.endDraft(this.context.localPath, epoch.id, how);
      }
    } catch {
      // It is kept all the same.
    }
    epoch.doc.dispose();
  }

  // --- handing over -------------------------------------------------------------------

  private isOwing(epoch: Epoch): boolean {
    return this._isOwing && epoch.doc.isChanged;
  }

  private async send(epoch: Epoch): Promise<void> {
    if (epoch !== this._epoch || !this.isOwing(epoch)) {
      return;
    }
    this._isOwing = false;
    epoch.doc.write(this.notebook);
    const shelving = setTimeout(() => void this.putAside(epoch), PATIENCE);
    try {
      await this.handOver(epoch);
    } catch (reason) {
      clearTimeout(shelving);
      await this.onRefusal(epoch, reason);
      return;
    }
    clearTimeout(shelving);
    if (epoch !== this._epoch) {
      return;
    }
    this._wait = FIRST_RETRY;
    this._failure = null;
    if (!this._isOwing) {
      this.setPlace('server');
    }
    if (epoch.isShelved) {
      epoch.isShelved = false;
      await this.shelf.remove(epoch.id).catch(() => undefined);
    }
  }

  private async handOver(epoch: Epoch): Promise<void> {
    const { doc, id } = epoch;
    const path = this.context.localPath;
    const state = doc.state;
    if (epoch.confirmed) {
      const whole = epoch.sentBytes > COMPACT_BYTES;
      const update = doc.updateSince(whole ? null : epoch.confirmed);
      await this.server.appendDraft(path, id, update, whole);
      // A whole one may be large itself: the next is sent when there is as much again.
      epoch.sentBytes = whole ? 0 : epoch.sentBytes + update.length;
    } else {
      const base = { ...epoch.base() };
      if (epoch.sha256) {
        base.sha256 = epoch.sha256;
      }
      const update = doc.updateSince(null);
      await this.server.beginDraft(path, id, base, epoch.content, update);
    }
    epoch.confirmed = state;
  }

  private async onRefusal(epoch: Epoch, reason: unknown): Promise<void> {
    if (epoch !== this._epoch || this._isDisposed) {
      return;
    }
    this._isOwing = true;
    const code = (reason as { code?: string }).code ?? '';
    if (code === 'unknown_draft' && epoch.confirmed) {
      epoch.confirmed = null;
      this.startTimer(0);
    } else if (code === 'draft_full') {
      epoch.sentBytes = Number.MAX_SAFE_INTEGER;
      this.startTimer(0);
    } else if (code === 'unknown_base' && !epoch.content) {
      // The draft begins anew, upon the notebook as it is now.
      const fresh = this.begin();
      fresh.content = this.context.model.toJSON();
      fresh.doc.noteOrder();
      this._epoch = fresh;
      this.startTimer(0);
    } else {
      await this.putAside(epoch);
      this.startTimer(this._wait);
      this._wait = Math.min(2 * this._wait, LAST_RETRY);
    }
  }

  /** This browser keeps what the server has not confirmed. */
  private async putAside(epoch: Epoch): Promise<void> {
    const update = epoch.doc.updateSince(null);
    try {
      epoch.isShelved = true;
      await this.shelf.put({
        draft: epoch.id,
        path: this.context.localPath,
        server: this.options.server,
        base: {
          ...epoch.base(),
          ...(epoch.sha256 ? { sha256: epoch.sha256 } : {})
        },
        content: epoch.content,
        update,
        changed: Date.now()
      });
    } catch (reason) {
      this._failure = reason instanceof Error ? reason : Error(String(reason));
      this.setPlace(null, true);
      return;
    }
    this._failure = null;
    if (epoch === this._epoch && this._place !== 'server') {
      this.setPlace('browser', true);
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
      void this.flush().catch(() => undefined);
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
  private _epoch: Epoch;
  private _failure: Error | null = null;
  private _isAside = 0;
  private _isDisposed = false;
  private _isOwing = false;
  private _next: Epoch | null = null;
  private _place: DraftPlace | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _turn: Promise<unknown> = Promise.resolve();
  private _wait = FIRST_RETRY;
  private readonly _watched = new WeakSet<SharedCell>();
}

/** Whether nothing but the trust in a cell's outputs changed. */
function isTrust(change: object): boolean {
  const { metadataChange } = change as { metadataChange?: Map<string, unknown> };
  return metadataChange
    ? [...metadataChange.keys()].every(key => key === 'trusted')
    : false;
}
