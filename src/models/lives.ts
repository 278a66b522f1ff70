import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/** How a kernel lost its variables. */
export type Loss = 'died' | 'restarted';

/** What is needed of a notebook's session; JupyterLab's fits. */
type Session = Pick<
  ISessionContext,
  'statusChanged' | 'connectionStatusChanged'
>;

/** Tells when a notebook has a kernel again, but without the variables it had. */
export class KernelLives implements IDisposable {
  constructor(private readonly context: Session) {
    context.statusChanged.connect(this.onStatus, this);
    context.connectionStatusChanged.connect(this.onConnection, this);
  }

  /** There is a kernel again, or will be at once, and it is empty; emitted once a loss. */
  get emptied(): ISignal<this, Loss> {
    return this._emptied;
  }

  /** A kernel is heard, for the first time or again: of what happened before nobody told. */
  get heard(): ISignal<this, void> {
    return this._heard;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this.context.statusChanged.disconnect(this.onStatus, this);
    this.context.connectionStatusChanged.disconnect(this.onConnection, this);
    Signal.clearData(this);
  }

  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      this._heard.emit();
    }
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
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
  private _heard = new Signal<this, void>(this);
  private _isDisposed = false;
  private _loss: Loss | null = null;
}
