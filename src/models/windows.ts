import { UUID } from '@lumino/coreutils';

/** So many digits of a draft's name are those of the window that writes it. */
const WINDOW_DIGITS = 16;
const LOCK = 'jupyter-rewind:window:';
const NAME = 'jupyter-rewind:browser';
const PASSED = 'jupyter-rewind:passed-over';

/** So much is remembered as passed over. */
const MOST_PASSED = 200;

/** Whoever types in another browser hands over within seconds. */
const LIVELY = 30_000;
const SKEW = 5000;

/**
 * What this browser is called; each page of it and each start of it says the same. At another
 * address of the same server it is called otherwise: browsers keep what they keep by address.
 */
export function browserName(): string {
  try {
    let name = localStorage.getItem(NAME);
    if (!name) {
      name = digits(16);
      localStorage.setItem(NAME, name);
    }
    return name;
  } catch {
    // Nothing may be kept here: each page is a browser of its own.
    return '';
  }
}

/**
 * This browser is called as it was at its last start, also where that ended before the name was on
 * the disk: browsers write local storage seconds later, and what IndexedDB holds at once.
 */
export async function knowBrowser(
  factory: IDBFactory | undefined = globalThis.indexedDB
): Promise<void> {
  const opened = factory?.open('jupyter-rewind-browser', 1);
  if (!opened) {
    return;
  }
  opened.onupgradeneeded = () => opened.result.createObjectStore('names');
  const database = await done(opened);
  const options: IDBTransactionOptions = { durability: 'strict' };
  const names = database
    .transaction('names', 'readwrite', options)
    .objectStore('names');
  const before: unknown = await done(names.get(NAME));
  if (typeof before === 'string' && !localStorage.getItem(NAME)) {
    localStorage.setItem(NAME, before);
  } else {
    await done(names.put(browserName(), NAME));
  }
  database.close();
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('refused'));
  });
}

/** Drafts of other browsers, and states, that this one need not offer again; they stay kept. */
export function passedOver(): readonly string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PASSED) ?? '[]');
    return Array.isArray(found) ? found.map(String) : [];
  } catch {
    return [];
  }
}

/** From now on this browser does not offer that draft of another browser, or state, by itself. */
export function passOver(id: string): void {
  try {
    const all = [...passedOver().filter(each => each !== id), id];
    localStorage.setItem(PASSED, JSON.stringify(all.slice(-MOST_PASSED)));
  } catch {
    // It is offered again.
  }
}

/** What is needed of a draft to tell whose it is. */
export interface IWritten {
  readonly draft: string;
  readonly browser: string;
  readonly changed: string;
}

/**
 * Whether another browser wrote it, or this one at another address: who did may still have it open,
 * and it is only read here.
 */
export function isForeign({ browser }: IWritten): boolean {
  return browser !== browserName();
}

/**
 * In how many milliseconds it may be offered unasked: at once where this browser wrote it, else
 * once nobody has typed into it for a while; never where it was passed over.
 */
export function offeredIn(written: IWritten, now = Date.now()): number {
  if (!isForeign(written)) {
    return 0;
  }
  if (passedOver().includes(written.draft)) {
    return Infinity;
  }
  const wait = Date.parse(written.changed) + LIVELY - now;
  // Later than now: the server's clock is not this one, and tells nothing.
  return wait > LIVELY + SKEW ? 0 : Math.max(0, wait);
}

/** In how many milliseconds the next of these that nobody ended is offered; 0 for none. */
export function nextIn(
  written: readonly (IWritten & { ended: string })[],
  now = Date.now()
): number {
  const waits = written
    .filter(each => !each.ended)
    .map(each => offeredIn(each, now))
    .filter(wait => wait && wait < Infinity);
  return waits.length ? Math.min(...waits) : 0;
}

/** Where pages of one browser hear each other. */
const CHANNEL = 'jupyter-rewind:windows';

/** In milliseconds: by then a page has answered that is not stuck in something large. */
const ANSWERED = 3000;

/** What one page says to all others: it asks who is there, or says that it is. */
interface ICall {
  asks?: boolean;
  is?: string;
}

/**
 * One open page. It holds a lock as long as it lives, however it ends, so that other pages of this
 * browser can tell drafts that are being written from those that were left behind. Where there are
 * no locks, as in pages that come by plain http, the pages ask each other.
 */
export class Windows {
  constructor(
    private readonly locks: LockManager | undefined = navigator.locks,
    private readonly channel: BroadcastChannel | undefined = locks
      ? undefined
      : openChannel()
  ) {
    void this.locks
      ?.request(LOCK + this.own, () => new Promise(() => undefined))
      .catch(() => undefined);
    this.channel?.addEventListener(
      'message',
      ({ data }: MessageEvent<ICall>) => {
        if (data.asks) {
          this.call({ is: this.own });
        } else if (data.is) {
          this._heard.add(data.is);
        }
      }
    );
  }

  /** A new name for a draft of this page. */
  newDraft(): string {
    return this.own + digits(32 - WINDOW_DIGITS);
  }

  /** Which of these drafts are being written, here or in another page of this browser. */
  async alive(drafts: readonly string[]): Promise<Set<string>> {
    const pages = new Set(drafts.map(draft => draft.slice(0, WINDOW_DIGITS)));
    pages.delete(this.own);
    const living = pages.size ? await this.living(pages) : new Set();
    return new Set(
      drafts.filter(draft => {
        const page = draft.slice(0, WINDOW_DIGITS);
        return page === this.own || living.has(page);
      })
    );
  }

  /** Which of these pages, or more, are open. */
  private async living(pages: ReadonlySet<string>): Promise<Set<string>> {
    if (this.locks) {
      const { held = [] } = await this.locks.query();
      const names = held.map(lock => lock.name ?? '');
      return new Set(names.map(name => name.slice(LOCK.length)));
    }
    this._heard.clear();
    this.call({ asks: true });
    const until = Date.now() + ANSWERED;
    while (
      this.channel &&
      Date.now() < until &&
      ![...pages].every(page => this._heard.has(page))
    ) {
      await new Promise(done => setTimeout(done, 50));
    }
    return new Set(this._heard);
  }

  private call(said: ICall): void {
    this.channel?.postMessage(said);
  }

  private readonly _heard = new Set<string>();
  private readonly own = digits(WINDOW_DIGITS);
}

function openChannel(): BroadcastChannel | undefined {
  return typeof BroadcastChannel === 'undefined'
    ? undefined
    : new BroadcastChannel(CHANNEL);
}

function digits(count: number): string {
  return UUID.uuid4().replace(/-/g, '').slice(0, count);
}
