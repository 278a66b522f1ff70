import { type IBase, takeBase } from './draftbase';
import { DraftDoc, type SharedNotebook } from './draftdoc';
import type { IShelved } from './draftshelf';

/** So many bytes in updates are sent together, once they are more than the edits themselves. */
const COMPACT_BYTES = 1 << 18;

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

/** What was edited since one state of the file, and how far that is kept. */
export class DraftEpoch {
  constructor(
    readonly id: string,
    notebook: SharedNotebook
  ) {
    this.doc = new DraftDoc(notebook.cells);
    this._base = takeBase(notebook.cells);
  }

  readonly doc: DraftDoc;

  /** Of the file that it is an edit of, where that is known. */
  sha256 = '';

  /** The notebook that it is an edit of, where the server does not know that. */
  content: unknown = null;

  get isKept(): boolean {
    return this._confirmed !== null || this._held !== null;
  }

  /** What is written into the document is on the server when this resolves. */
  async handOver(server: IDraftServer, path: string): Promise<void> {
    const state = this.doc.state;
    if (this._confirmed) {
      const whole = this._sentBytes > COMPACT_BYTES;
      const update = this.doc.updateSince(whole ? null : this._confirmed);
      await server.appendDraft(path, this.id, update, whole);
      // A whole one may be large itself: the next is sent when there is as much again.
      this._sentBytes = whole ? 0 : this._sentBytes + update.length;
    } else {
      const update = this.doc.updateSince(null);
      await server.beginDraft(path, this.id, this.base, this.content, update);
    }
    this._confirmed = state;
  }

  /** The server has lost it, or wants it in one piece; whether that helps. */
  sendAnew(code: string): boolean {
    if (code === 'unknown_draft' && this._confirmed) {
      this._confirmed = null;
      return true;
    }
    if (code === 'draft_full' && this._sentBytes !== Infinity) {
      this._sentBytes = Infinity;
      return true;
    }
    return false;
  }

  /** What is written into the document is kept in this browser when this resolves. */
  async putAside(shelf: IShelf, server: string, path: string): Promise<void> {
    this._isShelved = true;
    const shelved = {
      draft: this.id,
      path,
      server,
      base: this.base,
      content: this.content,
      update: this.doc.updateSince(null),
      changed: Date.now()
    };
    await shelf.put(shelved);
    this._held = this._isShelved ? shelved : null;
  }

  /** The server has all of it: this browser need not keep it. */
  async takeBack(shelf: IShelf): Promise<void> {
    if (this._isShelved) {
      this._isShelved = false;
      this._held = null;
      await shelf.remove(this.id);
    }
  }

  /** Its edits were saved: it is needed no more. Never fails. */
  async forget(
    server: IDraftServer,
    shelf: IShelf,
    path: string
  ): Promise<void> {
    this.doc.dispose();
    try {
      if (this._confirmed) {
        await server.discardDraft(path, this.id);
      }
      await this.takeBack(shelf);
    } catch {
      // Whoever finds it sees that its edits were saved.
    }
  }

  /** Nobody edits it any more, and it is not saved. Never fails. */
  async end(
    server: IDraftServer,
    shelf: IShelf,
    path: string,
    how: string
  ): Promise<void> {
    this.doc.dispose();
    try {
      if (this._held) {
        await shelf.put({ ...this._held, ended: how });
      }
      if (this._confirmed) {
        await server.endDraft(path, this.id, how);
      }
    } catch {
      // It is kept all the same.
    }
  }

  private get base(): IBase {
    const base = this._base();
    return this.sha256 ? { ...base, sha256: this.sha256 } : base;
  }

  private readonly _base: () => IBase;
  /** How far the server has it; `null` while it has nothing. */
  private _confirmed: Uint8Array | null = null;
  /** What this browser has of it. */
  private _held: IShelved | null = null;
  /** Whether this browser has it or is about to. */
  private _isShelved = false;
  private _sentBytes = 0;
}
