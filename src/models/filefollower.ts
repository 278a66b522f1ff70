import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

/** What is needed of a document's context; JupyterLab's fits. */
export interface IFollowed {
  readonly saveState: ISignal<unknown, string>;
  readonly pathChanged: ISignal<unknown, string>;
}

/** Hears that the followed document was saved here, or is called something else now. */
export class FileFollower implements IDisposable {
  constructor(
    private readonly onSaved: () => void,
    private readonly onRenamed: () => void
  ) {}

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Follows another document, or none. */
  follow(context: IFollowed | null): void {
    this._context?.saveState.disconnect(this.hear, this);
    this._context?.pathChanged.disconnect(this.onRenamed);
    this._context = context;
    context?.saveState.connect(this.hear, this);
    context?.pathChanged.connect(this.onRenamed);
  }

  dispose(): void {
    this._isDisposed = true;
    this.follow(null);
  }

  private hear(_: unknown, state: string): void {
    if (state.startsWith('completed')) {
      this.onSaved();
    }
  }

  private _context: IFollowed | null = null;
  private _isDisposed = false;
}
