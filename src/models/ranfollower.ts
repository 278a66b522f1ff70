import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Debouncer } from '@lumino/polling';

/** Several cells that end one after the other are told as one. */
const SOON_MS = 300;

/**
 * By then a kernel has made up, in a pause, for a state that it had no time for at first: most have
 * by the first time, large ones and those of a busy machine later.
 */
const LATER_MS = [3000, 12_000, 45_000];

type Session = Pick<ISessionContext, 'iopubMessage'>;

/** Tells when cells of the followed notebook have begun or ended. */
export class RanFollower implements IDisposable {
  /** `tell` gets `true` where entries may have gone, too. */
  constructor(private readonly tell: (whole: boolean) => void) {
    this._soon = new Debouncer(() => this.say(), SOON_MS);
    this._later = LATER_MS.map(pause => new Debouncer(() => this.say(), pause));
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Follows another notebook, or none. */
  follow(session: Session | null): void {
    if (session !== this._session) {
      this._session?.iopubMessage.disconnect(this.hear, this);
      this._session = session;
      session?.iopubMessage.connect(this.hear, this);
    }
  }

  /** Something happened to a state; with `whole` it may have gone. */
  note(whole: boolean): void {
    this._isWhole = this._isWhole || whole;
    void this._soon.invoke();
  }

  dispose(): void {
    this._isDisposed = true;
    this.follow(null);
    this._soon.dispose();
    this._later.forEach(each => each.dispose());
  }

  private hear(_: unknown, message: KernelMessage.IMessage): void {
    const { header, parent_header: parent } = message;
    if (!parent || !('msg_type' in parent)) {
      return;
    }
    if (header.msg_type !== 'status' || parent.msg_type !== 'execute_request') {
      return;
    }
    const { execution_state: status } = message.content as {
      execution_state: Kernel.Status;
    };
    if (status === 'idle' || status === 'busy') {
      void this._soon.invoke();
    }
    if (status === 'idle') {
      this._later.forEach(each => void each.invoke());
    }
  }

  private say(): void {
    if (!this._isDisposed) {
      this.tell(this._isWhole);
      this._isWhole = false;
    }
  }

  private _isDisposed = false;
  private _isWhole = false;
  private _later: Debouncer[];
  private _session: Session | null = null;
  private _soon: Debouncer;
}
