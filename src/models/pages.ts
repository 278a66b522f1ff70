import type { IPage } from '../tokens';

/** How much of a list is fetched at first; further steps are as large as what is at hand. */
export const STEP = 200;

/** How much one step fetches at most. */
const MOST = 1600;

/** Asks the server for so many entries, those before one of them where that is named. */
export type Ask<T> = (limit: number, before?: string) => Promise<IPage<T>>;

/** A page of a list of which the server told how long it is. */
export function pageOf<T>(
  items: T[],
  count: number,
  limit: number,
  before?: string
): IPage<T> {
  // The last page is short; without `before` the count tells of the rest.
  const more = before ? items.length === limit : items.length < count;
  return { items, more };
}

/** A long list, the newest first, of which the newest part is at hand. */
export class Pages<T extends { id: string }> {
  constructor(private readonly ask: Ask<T>) {}

  /** What is at hand; another array after each change. */
  get items(): T[] {
    return this._items;
  }

  /** Whether there are older ones than those at hand. */
  get hasMore(): boolean {
    return this._hasMore;
  }

  /** Whether the server has told anything yet. */
  get isKnown(): boolean {
    return this._isKnown;
  }

  /** Forgets all, also what is still being asked for. */
  clear(): void {
    this._question += 1;
    this._items = [];
    this._hasMore = false;
    this._isKnown = false;
  }

  /**
   * Fetches what is new; `whole` also fetches again all that is at hand. An answer that a later
   * question has overtaken is dropped.
   */
  async refresh(whole = false): Promise<void> {
    const question = ++this._question;
    const known = this._items;
    const limit = whole ? Math.max(STEP, known.length) : STEP;
    const page = await this.ask(limit);
    if (question !== this._question) {
      return;
    }
    const last = page.items[page.items.length - 1];
    const at = page.more ? known.findIndex(one => one.id === last.id) : -1;
    this._isKnown = true;
    if (at < 0) {
      this._items = page.items;
      this._hasMore = page.more;
    } else {
      this._items = [...page.items, ...known.slice(at + 1)];
      this._hasMore = this._hasMore || at === known.length - 1;
    }
  }

  /** Fetches older ones, until so many are at hand, or one step of them. */
  async more(count?: number): Promise<void> {
    const known = this._items;
    count ??= known.length + Math.min(Math.max(known.length, STEP), MOST);
    const last = known[known.length - 1];
    if (!last || !this._hasMore || count <= known.length) {
      return;
    }
    const question = ++this._question;
    const page = await this.ask(count - known.length, last.id);
    if (question === this._question) {
      this._items = [...known, ...page.items];
      this._hasMore = page.more;
    }
  }

  /** Puts something else in the place of one that is at hand. */
  change(id: string, change: (one: T) => T): void {
    this._items = this._items.map(one => (one.id === id ? change(one) : one));
  }

  private _items: T[] = [];
  private _hasMore = false;
  private _isKnown = false;
  private _question = 0;
}
