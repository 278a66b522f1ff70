import { ISignal, Signal } from '@lumino/signaling';

import type { Draft, DraftPlace, IDrafts, IRewindClient } from '../tokens';
import type { IDraftContext } from './draftcontext';
import { DraftSession } from './draftsession';
import type { DraftShelf, IShelved } from './draftshelf';
import type { Windows } from './windows';

/** Why drafts of an earlier page are still kept by this browser alone. */
export interface ILeftBehind {
  shelved: IShelved;
  reason: Error;
}

/** Another folder is served at this address than when a draft was made: another notebook's name. */
export class OtherFolder extends Error {
  constructor(readonly root: string) {
    super(root);
  }
}

/** All drafts of this page, and those that earlier pages left behind. */
export class DraftKeeper implements IDrafts {
  constructor(
    private readonly client: IRewindClient,
    private readonly shelf: DraftShelf,
    private readonly windows: Windows,
    private readonly server: string,
    private readonly root = ''
  ) {}

  get changed(): ISignal<this, string> {
    return this._changed;
  }

  /** The page alone holds edits of a document, and why; without a reason, no longer. */
  get failed(): ISignal<this, { path: string; reason: Error | null }> {
    return this._failed;
  }

  /** A draft on the server with edits that a shared notebook lost when its server came back. */
  get left(): ISignal<this, { path: string; draft: string }> {
    return this._left;
  }

  placeOf(path: string): DraftPlace | null {
    return this._sessions.get(path)?.place ?? null;
  }

  /** From now on what is edited in a notebook is kept; `path` is what its context is called. */
  follow(context: IDraftContext & { readonly path: string }): DraftSession {
    const names: string[] = [];
    const name = () => {
      names.push(this.windows.newDraft());
      return names[names.length - 1];
    };
    const { server } = this;
    const options = { server, name };
    const session = new DraftSession(context, this.client, this.shelf, options);
    this._names.set(session, names);
    let path = context.path;
    let hadFailed = false;
    this._sessions.set(path, session);
    session.changed.connect(() => {
      if (context.path !== path) {
        this._sessions.delete(path);
        path = context.path;
        this._sessions.set(path, session);
      }
      this._changed.emit(path);
      const { failure } = session;
      if (Boolean(failure) !== hadFailed) {
        this._failed.emit({ path, reason: failure });
      }
      hadFailed = failure !== null;
    });
    session.partings?.left.connect((_, draft) =>
      this._left.emit({ path: context.path, draft })
    );
    return session;
  }

  /** The notebook is closed. */
  unfollow(session: DraftSession): void {
    for (const [path, each] of this._sessions) {
      if (each === session) {
        this._sessions.delete(path);
      }
    }
    session.dispose();
    void session.done.then(() => {
      this._names.get(session)?.forEach(name => this._closed.add(name));
      this._names.delete(session);
      this.carryOn();
    });
  }

  /** Hands over all that is not kept yet: the page may be left, or the server is back. */
  flush(): void {
    for (const session of this._sessions.values()) {
      session.retry();
    }
    this.carryOn();
  }

  /**
   * The drafts of a notebook that nobody writes any more and that hold what no save does, the
   * newest first. Those that were saved after all are dropped.
   */
  async leftBehind(path: string): Promise<Draft[]> {
    const found = await this.client.drafts(path);
    const written = await this.written(found);
    const left: Draft[] = [];
    for (const draft of found) {
      if (written.has(draft.draft) && !draft.ended) {
        continue;
      }
      if (draft.unsaved) {
        left.push(draft);
      } else {
        await this.client
          .discardDraft(path, draft.draft)
          .catch(() => undefined);
      }
    }
    return left;
  }

  /**
   * A draft whose edits are in its notebook again is not offered any more, and with the next save
   * it is gone. What is returned takes the latter back: the edits were taken out again; it says
   * whether the draft is still there. `null` where the server does not hear of it: the draft stays
   * as it was.
   */
  async letGo(
    context: IDraftContext,
    draft: string
  ): Promise<(() => boolean) | null> {
    try {
      await this.client.endDraft(context.localPath, draft, 'restored');
    } catch {
      // It is offered again, which is no reason to tell that the edits are not back.
      return null;
    }
    let isThere = true;
    const drop = (_: unknown, state: string) => {
      if (state.startsWith('completed')) {
        isThere = false;
        context.saveState.disconnect(drop);
        void this.client
          .discardDraft(context.localPath, draft)
          // It is not offered again, and goes in time.
          .catch(() => undefined);
      }
    };
    context.saveState.connect(drop);
    return () => {
      context.saveState.disconnect(drop);
      return isThere;
    };
  }

  /**
   * The server has what earlier pages, and notebooks that this one closed, could not hand over;
   * what it refused stays here.
   */
  carryOver(): Promise<ILeftBehind[]> {
    const carried = this._turn.then(() => this.carry());
    this._turn = carried.catch(() => undefined);
    return carried;
  }

  private async carry(): Promise<ILeftBehind[]> {
    const found = await this.shelf.list(this.server);
    const written = await this.written(found);
    const refused: ILeftBehind[] = [];
    for (const shelved of found.filter(each => !written.has(each.draft))) {
      const { path, draft, base, content, update, ended, root } = shelved;
      try {
        if (root && this.root && root !== this.root) {
          throw new OtherFolder(root);
        }
        await this.client.beginDraft(path, draft, base, content, update);
        await this.shelf.remove(draft);
        if (ended) {
          // It is kept in any case; without that it is offered unasked.
          await this.client.endDraft(path, draft, ended).catch(() => undefined);
        }
      } catch (reason) {
        const error =
          reason instanceof Error ? reason : new Error(String(reason));
        refused.push({ shelved, reason: error });
      }
    }
    return refused;
  }

  /** This browser keeps a draft of an earlier page no more. */
  async drop(shelved: IShelved): Promise<void> {
    await this.shelf.remove(shelved.draft);
  }

  /** What notebooks that are closed again left here is handed over, if that goes now. */
  private carryOn(): void {
    if (this._closed.size) {
      // What it could not hand over waits for the next time.
      void this.carryOver().catch(() => undefined);
    }
  }

  /** Which of these drafts are being written, here or in another page of this browser. */
  private async written(found: { draft: string }[]): Promise<Set<string>> {
    const names = found.map(each => each.draft);
    const alive = await this.windows.alive(names);
    return new Set(
      names.filter(each => alive.has(each) && !this._closed.has(each))
    );
  }

  private _changed = new Signal<this, string>(this);
  /** Drafts of this page whose notebooks are closed. */
  private readonly _closed = new Set<string>();
  private _failed = new Signal<this, { path: string; reason: Error | null }>(
    this
  );
  private _left = new Signal<this, { path: string; draft: string }>(this);
  private readonly _names = new WeakMap<DraftSession, string[]>();
  private _sessions = new Map<string, DraftSession>();
  private _turn: Promise<unknown> = Promise.resolve();
}
