import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/** How a kernel lost its variables. */
export type Loss = 'died' | 'restarted';

/** Tells when a notebook has a kernel again, but without the variables it had. */
export class KernelLives implements IDisposable {
  constructor(private readonly context: ISessionContext) {
    context.statusChanged.connect(this.onStatus, this);
  }

  /** There is a kernel again, or will be at once, and it is empty; emitted once a loss. */
  get emptied(): ISignal<this, Loss> {
    return this._emptied;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this.context.statusChanged.disconnect(this.onStatus, this);
    Signal.clearData(this);
  }

  private onStatus(_: ISessionContext, status: Kernel.Status): void {
    if (status === 'autorestarting') {
      // The server is starting it again; what follows may tell no more than "unknown" for long.
      this._loss = null;
      this._emptied.emit('died');
    } else if (status === 'dead') {
      this._loss = 'died';
    } else if (status === 'restarting') {
      this._loss = this._loss ?? 'restarted';
    } else if ((status === 'starting' || status === 'idle') && this._loss) {
      const loss = this._loss;
      this._loss = null;
      this._emptied.emit(loss);
    }
  }

  private _emptied = new Signal<this, Loss>(this);
  private _isDisposed = false;
  private _loss: Loss | null = null;
}
