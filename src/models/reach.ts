import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/**
 * The page hears of events again some time after the server is back: it asks for them in steps that
 * grow up to half a minute. What happened before that nobody tells; in milliseconds.
 */
export const UNHEARD = [0, 10_000, 35_000];

/** So often an absent server is asked whether it is there again. */
const PAUSE = 3000;

/** Knows whether the server can be reached; asks only while it cannot. */
export class Reach implements IDisposable {
  /** `ask` is rejected where no answer comes; any answer counts as one. */
  constructor(private readonly ask: () => Promise<unknown>) {}

  get changed(): ISignal<this, boolean> {
    return this._changed;
  }

  /** Something may have happened that no event has told. */
  get missed(): ISignal<this, void> {
    return this._missed;
  }

  get isAway(): boolean {
    return this._timer !== null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Somebody got no answer. */
  noteAbsence(): void {
    if (this._timer === null && !this._isDisposed) {
      this.forget();
      this._timer = setTimeout(() => void this.look(), PAUSE);
      this._changed.emit(true);
    }
  }

  /** Somebody got an answer. */
  notePresence(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
      this._changed.emit(false);
      this._unheard = UNHEARD.map(after =>
        setTimeout(() => this._missed.emit(), after)
      );
    }
  }

  dispose(): void {
    this._isDisposed = true;
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    this.forget();
    Signal.clearData(this);
  }

  private forget(): void {
    this._unheard.forEach(clearTimeout);
    this._unheard = [];
  }

  private async look(): Promise<void> {
    let isThere = true;
    try {
      await this.ask();
    } catch {
      isThere = false;
    }
    if (this._isDisposed || this._timer === null) {
      return;
    }
    if (isThere) {
      this.notePresence();
    } else {
      this._timer = setTimeout(() => void this.look(), PAUSE);
    }
  }

  private _changed = new Signal<this, boolean>(this);
  private _isDisposed = false;
  private _missed = new Signal<this, void>(this);
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _unheard: ReturnType<typeof setTimeout>[] = [];
}
