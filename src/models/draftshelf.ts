import type { IBase } from './draftbase';

const TABLE = 'drafts';

/** All edits of a draft that the server has not confirmed. */
export interface IShelved {
  draft: string;
  path: string;
  /** The address of the server that is to have it. */
  server: string;
  /** The folder that was served there then; none where nobody knew. */
  root?: string;
  base: IBase | null;
  /** The notebook that it is an edit of, where the server may not know that. */
  content: unknown;
  update: Uint8Array;
  changed: number;
  /** How it ended where nobody edits it any more, as the server is to be told. */
  ended?: string;
}

/** Keeps drafts in this browser while the server is away. Each call rejects with the reason. */
export class DraftShelf {
  /** `root` is the folder that is served, as the server calls it. */
  constructor(
    private readonly root = '',
    private readonly factory: IDBFactory | undefined = globalThis.indexedDB,
    private readonly name = 'jupyter-rewind'
  ) {}

  /** The draft is on this computer's disk; what was there of it before is replaced. */
  async put(shelved: IShelved): Promise<void> {
    const { root } = this;
    await this.act('readwrite', store => store.put({ root, ...shelved }));
  }

  async remove(draft: string): Promise<void> {
    await this.act('readwrite', store => store.delete(draft));
  }

  /** All drafts for a server, the oldest first; some may be of another folder. */
  async list(server: string): Promise<IShelved[]> {
    const all = await this.act<IShelved[]>('readonly', store => store.getAll());
    return all
      .filter(each => each.server === server)
      .sort((one, other) => one.changed - other.changed);
  }

  private async act<T = unknown>(
    mode: IDBTransactionMode,
    ask: (store: IDBObjectStore) => IDBRequest
  ): Promise<T> {
    const database = await this.open();
    return new Promise<T>((resolve, reject) => {
      const options: IDBTransactionOptions = { durability: 'strict' };
      const transaction = database.transaction(TABLE, mode, options);
      const request = ask(transaction.objectStore(TABLE));
      transaction.oncomplete = () => resolve(request.result as T);
      const fail = () =>
        reject(transaction.error ?? request.error ?? new Error('aborted'));
      transaction.onabort = fail;
      transaction.onerror = fail;
    });
  }

  private open(): Promise<IDBDatabase> {
    this._database ??= new Promise<IDBDatabase>((resolve, reject) => {
      if (!this.factory) {
        reject(new Error('This browser keeps nothing.'));
        return;
      }
      const request = this.factory.open(this.name, 1);
      request.onupgradeneeded = () =>
        request.result.createObjectStore(TABLE, { keyPath: 'draft' });
      request.onerror = () => reject(request.error ?? new Error('refused'));
      request.onsuccess = () => {
        const database = request.result;
        // Another window may want a newer one, and the browser may take it away.
        database.onclose = () => (this._database = null);
        database.onversionchange = () => {
          this._database = null;
          database.close();
        };
        resolve(database);
      };
    }).catch((reason: unknown) => {
      this._database = null;
      throw reason;
    });
    return this._database;
  }

  private _database: Promise<IDBDatabase> | null = null;
}
