import { UUID } from '@lumino/coreutils';

/** So many digits of a draft's name are those of the window that writes it. */
const WINDOW_DIGITS = 16;
const LOCK = 'jupyter-rewind:window:';
const NAME = 'jupyter-rewind:browser';

/** What this browser is called; each page of it and each start of it says the same. */
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
 * One open page. It holds a lock as long as it lives, however it ends, so that other pages of this
 * browser can tell drafts that are being written from those that were left behind.
 */
export class Windows {
  constructor(
    private readonly locks: LockManager | undefined = navigator.locks
  ) {
    void this.locks
      ?.request(LOCK + this.own, () => new Promise(() => undefined))
      .catch(() => undefined);
  }

  /** A new name for a draft of this page. */
  newDraft(): string {
    return this.own + digits(32 - WINDOW_DIGITS);
  }

  /** Which of these drafts are being written, here or in another page of this browser. */
  async alive(drafts: readonly string[]): Promise<Set<string>> {
    const held = (await this.locks?.query())?.held ?? [];
    const names = new Set(held.map(lock => lock.name));
    return new Set(
      drafts.filter(draft => {
        const page = draft.slice(0, WINDOW_DIGITS);
        return page === this.own || names.has(LOCK + page);
      })
    );
  }

  private readonly own = digits(WINDOW_DIGITS);
}

function digits(count: number): string {
  return UUID.uuid4().replace(/-/g, '').slice(0, count);
}
