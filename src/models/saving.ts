import type { IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

import { Alarm } from './alarm';
import { type ISession, type ITouchable, Touch } from './touch';

/** So long after the end of an execution it is saved: others may end at the same time. */
export const PAUSE = 500;

/** A save rests for this many times as long as the last one took. */
const REST = 10;

/** Longer than this, the user was asked something meanwhile. */
const LONGEST = 60_000;

/** Milliseconds; file systems tell of one moment in different ways. */
const MARGIN = 500;

/** How a document stands towards its file. */
export type SaveState =
  | 'saved'
  | 'unsaved'
  | 'saving'
  | 'offline'
  | 'failed'
  | 'conflict'
  | 'changed'
  | 'gone'
  | 'read-only'
  | 'live';

/** What tells one state of a file from another. */
export interface IFileFacts {
  hash?: string | null;
  last_modified?: string;
}

/** What is needed of a document's context; JupyterLab's fits. */
export interface ISavable {
  readonly model: ITouchable;
  readonly sessionContext?: ISession;
  readonly contentsModel: (IFileFacts & { writable?: boolean }) | null;
  readonly isDisposed: boolean;
  readonly ready: Promise<void>;
  readonly fileChanged: ISignal<unknown, unknown>;
  save(): Promise<void>;
  revert(): Promise<void>;
}

/** Follows the saves of one document, whoever asks for them, and makes those nobody asks for. */
export class Saving implements IDisposable {
  constructor(
    private readonly context: ISavable,
    private readonly now: () => number = Date.now,
    /** What is on the disk now; `null` where there is no file any more. */
    private readonly peek?: () => Promise<IFileFacts | null>
  ) {
    const { save, revert } = context;
    context.save = () => this.inTurn(() => save.call(context));
    context.revert = () => this.reread(() => revert.call(context));
    context.model.stateChanged.connect(this.onState, this);
    context.fileChanged.connect(this.onFile, this);
    this._touch = new Touch(context.model, context.sessionContext);
    this._touch.hold();
    const loaded = () => this._touch.release(this._touch.count);
    void context.ready.then(loaded, loaded);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get standing(): SaveState {
    const { model, contentsModel } = this.context;
    if (model.collaborative) {
      return 'live';
    }
    if (this._running) {
      return 'saving';
    }
    if (contentsModel && contentsModel.writable === false) {
      return 'read-only';
    }
    if (this._failure && isCancelled(this._failure)) {
      return 'conflict'; // without an edit, too: the file holds something else
    }
    if (model.dirty && this._failure) {
      return isUnreachable(this._failure) ? 'offline' : 'failed';
    }
    return model.dirty ? 'unsaved' : this._disk;
  }

  /** Whether there is anything that the file does not hold. */
  get isChanged(): boolean {
    return this.context.model.dirty;
  }

  /** Why the last save failed. */
  get failure(): Error | null {
    return this._failure;
  }

  /** When it was saved last since it was opened; `null` where it was not. */
  get savedAt(): number | null {
    return this._savedAt;
  }

  /** Whether a save that nobody asked for makes sense: there is something, and it can be kept. */
  get isDue(): boolean {
    return this.standing === 'unsaved' || this.standing === 'offline';
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Looks in a moment: several events tell of one change. */
  lookSoon(): void {
    this._lookAlarm.set(PAUSE);
  }

  /** Asks whether the file is still what this page has read or saved; without an answer, it is. */
  async look(): Promise<void> {
    const { model } = this.context;
    if (!this.peek || model.collaborative || this._running) {
      return;
    }
    const look = ++this._looks;
    try {
      const found = await this.peek();
      // What was saved or read meanwhile knows better.
      if (look === this._looks && !this._isDisposed) {
        this._disk = found ? standingOf(found, this.context) : 'gone';
        this.tell();
      }
    } catch {
      // Whoever saves is told why that fails.
    }
  }

  /** Saves what is unsaved, unless it rests; a conflict that was left open is not asked of again. */
  async saveUnasked(): Promise<void> {
    if (this._running) {
      this._isAwaited = true;
      return;
    }
    if (!this.isDue || this._isDisposed) {
      return;
    }
    try {
      await this.context.save();
    } catch {
      // The standing tells of it, and JupyterLab has shown why.
    }
  }

  /** Saves what is unsaved, also what came while a save ran; none runs when this resolves. */
  async saveLast(): Promise<void> {
    while (this._turn) {
      // The standing tells how it ended.
      await this._turn.catch(() => undefined);
    }
    await this.saveUnasked();
  }

  /** Saves soon, and not more often than a tenth of the time would be spent on. */
  saveSoon(): void {
    if (this._timer !== null || this._isDisposed) {
      return;
    }
    const rest = this._endedAt + REST * this._duration - this.now();
    this._timer = setTimeout(
      () => {
        this._timer = null;
        void this.saveUnasked();
      },
      Math.max(PAUSE, rest)
    );
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._lookAlarm.dispose();
    if (this._timer !== null) {
      clearTimeout(this._timer);
    }
    this.context.model.stateChanged.disconnect(this.onState, this);
    this.context.fileChanged.disconnect(this.onFile, this);
    this._touch.dispose();
    Signal.clearData(this);
  }

  /** The second of two saves at once would take the first one's file for somebody else's. */
  private inTurn(save: () => Promise<void>): Promise<void> {
    const act = async () => {
      if (!this.context.isDisposed) {
        await this.follow(save);
      }
    };
    const turn = this._turn ? this._turn.then(act, act) : act();
    this._turn = turn;
    const end = () => {
      if (this._turn === turn) {
        this._turn = null;
      }
    };
    turn.then(end, end);
    return turn;
  }

  private async follow(save: () => Promise<void>): Promise<void> {
    const began = this.now();
    let saved: number | undefined;
    this._running += 1;
    this._looks += 1;
    this._touch.hold();
    this.tell();
    try {
      await this.context.ready;
      const { count } = this._touch;
      await save();
      saved = count;
      this._failure = null;
      this._disk = 'saved';
      this._savedAt = this.now();
      this._duration = Math.min(this._savedAt - began, LONGEST);
    } catch (reason) {
      this._failure =
        reason instanceof Error ? reason : new Error(String(reason));
      throw reason;
    } finally {
      this._running -= 1;
      this._touch.release(saved);
      if (this._isAwaited && !this._running) {
        // What came while it was saved.
        this._isAwaited = false;
        this.saveSoon();
      }
      this._endedAt = this.now();
      this.tell();
    }
  }

  /** What was just read from the file is in it, also where JupyterLab knew that file already. */
  private async reread(revert: () => Promise<void>): Promise<void> {
    let saved: number | undefined;
    this._touch.hold();
    try {
      await revert();
      saved = this._touch.count;
      this._failure = null;
      this._disk = 'saved';
      this._looks += 1;
    } finally {
      this._touch.release(saved);
      this.tell();
    }
  }

  private onState(_: unknown, change: { name: string }): void {
    if (change.name === 'dirty') {
      this.tell();
    }
  }

  /** Other facts of the file are known: it was saved, read, or only renamed, edits and all. */
  private onFile(): void {
    this.tell();
  }

  private tell(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _changed = new Signal<this, void>(this);
  /** How the file stands to what was read or saved last. */
  private _disk: 'saved' | 'changed' | 'gone' = 'saved';
  private _duration = 0;
  private _endedAt = 0;
  private _failure: Error | null = null;
  private _isAwaited = false;
  private _isDisposed = false;
  private readonly _lookAlarm = new Alarm(() => void this.look());
  private _looks = 0;
  private _running = 0;
  private _savedAt: number | null = null;
  private readonly _touch: Touch;
  private _timer: ReturnType<typeof setTimeout> | null = null;
  private _turn: Promise<void> | null = null;
}

/** JupyterLab takes a file for another by the same signs, before it saves. */
function standingOf(
  found: IFileFacts,
  { contentsModel }: ISavable
): 'saved' | 'changed' {
  const { hash, last_modified } = contentsModel ?? {};
  if (hash && found.hash) {
    return hash === found.hash ? 'saved' : 'changed';
  }
  const [known, now] = [last_modified, found.last_modified].map(each =>
    Date.parse(each ?? '')
  );
  return now - known > MARGIN ? 'changed' : 'saved';
}

/** Whether the user left JupyterLab's question what to do with a changed file open. */
export function isCancelled(reason: Error): boolean {
  return (
    reason.name === 'ModalCancelError' || reason.name === 'ModalDuplicateError'
  );
}

/** Whether no answer came: the server or the network is away. */
export function isUnreachable(reason: Error): boolean {
  return !('response' in reason) && reason instanceof TypeError;
}
