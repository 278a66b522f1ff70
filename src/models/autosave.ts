import { SaveHandler } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { KernelMessage } from '@jupyterlab/services';
import type { ISignal } from '@lumino/signaling';

/** What our own `%autosave`, without a number, asks the browser with. */
export const QUESTION = 'application/vnd.jupyter-rewind.autosave+json';

/** What `%autosave 300` of every IPython kernel sends, meant for the notebook before JupyterLab. */
const COMMAND =
  /^\s*IPython\.notebook\.set_autosave_interval\((\d+)\)\s*;?\s*$/;

/** What `%autosave` without a number ends with in kernels without Jupyter Rewind. */
const USAGE = /^UsageError: %%?autosave requires an integer, got ''\s*$/;

type Context = DocumentRegistry.IContext<DocumentRegistry.IModel>;

/** What is needed of the document manager. */
export interface IAutosaving {
  readonly autosave: boolean;
  readonly autosaveInterval: number;
  readonly stateChanged: ISignal<unknown, { name: string }>;
}

/** The interval of each document, as the user chose it for that one or for all. */
export class Intervals {
  constructor(private readonly documents: IAutosaving) {
    documents.stateChanged.connect((_, { name }) => {
      if (name.startsWith('autosave')) {
        this.apply();
      }
    });
    this.watchHandlers();
  }

  /** Every how many seconds a changed document is saved at most; 0 where it is not. */
  secondsOf(context: Context): number {
    const { autosave, autosaveInterval } = this.documents;
    return this._chosen.get(context) ?? (autosave ? autosaveInterval : 0);
  }

  /** This document is saved every so many seconds until it is closed; 0: not by itself. */
  choose(context: Context, seconds: number): void {
    this._chosen.set(context, seconds);
    context.disposed.connect(() => this._chosen.delete(context));
    if (seconds && !this._handlers.has(context)) {
      const handler = new SaveHandler({ context, saveInterval: seconds });
      this._handlers.set(context, handler);
    }
    this.apply();
  }

  /**
   * Nothing is saved by itself while a question that the user has left open would be asked again:
   * it would come in the midst of typing.
   */
  hold(context: Context, isAsked: boolean): void {
    const handler = this._handlers.get(context);
    if (isAsked) {
      this._held.add(context);
      handler?.stop();
    } else if (this._held.delete(context) && this.secondsOf(context)) {
      handler?.start();
    }
  }

  private apply(): void {
    for (const [context, seconds] of this._chosen) {
      const handler = this._handlers.get(context);
      if (handler && seconds) {
        handler.saveInterval = seconds;
        handler.start();
      } else {
        handler?.stop();
      }
    }
  }

  /**
   * JupyterLab has no way to ask for the handler of one document: each is met as it starts. One
   * that is held starts later, whoever starts it.
   */
  private watchHandlers(): void {
    const handlers = this._handlers;
    const held = this._held;
    const start = SaveHandler.prototype.start;
    SaveHandler.prototype.start = function (this: SaveHandler): void {
      const { _context } = this as unknown as { _context?: object };
      if (_context) {
        handlers.set(_context, this);
      }
      if (!_context || !held.has(_context)) {
        start.call(this);
      }
    };
  }

  private readonly _chosen = new Map<Context, number>();
  private readonly _handlers = new WeakMap<object, SaveHandler>();
  private readonly _held = new WeakSet<object>();
}

/** What `%autosave` can ask for. */
export interface IAutosaveActions {
  choose(seconds: number): void;
  /** How the notebook is saved now, in words. */
  tell(): string;
}

/**
 * Does what a message of `%autosave` asks for; whether the message is for the eyes, too. Where it
 * asks how things are, the answer takes its place.
 */
export function answerMagic(
  message: KernelMessage.IIOPubMessage,
  actions: IAutosaveActions
): boolean {
  const { msg_type: kind } = message.header;
  if (kind === 'display_data') {
    const { data } = (message as KernelMessage.IDisplayDataMsg).content;
    const script = data['application/javascript'];
    const asked = typeof script === 'string' ? COMMAND.exec(script) : undefined;
    if (asked) {
      actions.choose(Number(asked[1]) / 1000);
      return false;
    }
    if (QUESTION in data) {
      const { content } = message as KernelMessage.IDisplayDataMsg;
      content.data = { 'text/plain': actions.tell() };
    }
  } else if (kind === 'stream') {
    const { content } = message as KernelMessage.IStreamMsg;
    if (content.name === 'stderr' && USAGE.test(content.text)) {
      content.name = 'stdout';
      content.text = `${actions.tell()}\n`;
    }
  }
  return true;
}
