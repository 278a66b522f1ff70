import type { IDisposable } from '@lumino/disposable';

/** Rings once, at the earliest of the times that were asked for. */
export class Alarm implements IDisposable {
  constructor(private readonly ring: () => void) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Rings after this long, or earlier where that was asked for already. */
  set(milliseconds: number): void {
    const due = Date.now() + milliseconds;
    if (this._isDisposed || (this._timer !== null && this._due <= due)) {
      return;
    }
    this.stop();
    this._due = due;
    this._timer = setTimeout(() => {
      this._timer = null;
      this.ring();
    }, milliseconds);
  }

  stop(): void {
    if (this._timer !== null) {
      clearTimeout(this._timer);
      this._timer = null;
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this.stop();
  }

  private _due = 0;
  private _isDisposed = false;
  private _timer: ReturnType<typeof setTimeout> | null = null;
}
