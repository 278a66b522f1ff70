import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import type { Health } from '../tokens';

/** So often the server is asked, at most; what it announces is asked for at once. */
const PAUSE = 30000;

/** The same where all is well and nothing is copied elsewhere: each save is looked after anyway. */
const RARELY = 300_000;

/** So long after a save it is known whether it was kept. */
const AFTER_A_SAVE = 1500;

/** How the store, its copies elsewhere and its quota stand, as the server tells. */
export class Copies implements IDisposable {
  /** `isSeen` says whether anybody can look: nothing is asked for nobody. */
  constructor(
    private readonly ask: () => Promise<Health>,
    private readonly isSeen: () => boolean
  ) {}

  /** There is another answer; no answer changes nothing. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get health(): Health | null {
    return this._health;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Ask now, and from time to time from now on. */
  async look(): Promise<void> {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
    if (this._isDisposed) {
      return;
    }
    try {
      if (this.isSeen()) {
        const turn = ++this._turns;
        const health = await this.ask();
        // What was asked later may have been answered sooner.
        if (turn > this._answered) {
          this._answered = turn;
          this._health = health;
          this._changed.emit();
        }
      }
    } catch {
      // That the server is away is told elsewhere.
    }
    if (!this._isDisposed && this._timer === null) {
      const pause = isQuiet(this._health) ? RARELY : PAUSE;
      this._timer = setTimeout(() => void this.look(), pause);
    }
  }

  /** Ask once it is known what became of the save that has just ended. */
  lookSoon(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    this._timer = setTimeout(() => void this.look(), AFTER_A_SAVE);
  }

  dispose(): void {
    this._isDisposed = true;
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    Signal.clearData(this);
  }

  private _answered = 0;
  private _changed = new Signal<this, void>(this);
  private _health: Health | null = null;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _turns = 0;
  private _isDisposed = false;
}

function isQuiet(health: Health | null): boolean {
  return health?.state === 'ok' && !health.replicas.length;
}
