import type { INotebookContent } from '@jupyterlab/nbformat';
import type { ISignal } from '@lumino/signaling';

import type { SharedNotebook } from './draftdoc';
import type { ISession } from './touch';

/** What is needed of a notebook's context; JupyterLab's fits. */
export interface IDraftContext {
  readonly localPath: string;
  readonly isDisposed?: boolean;
  readonly contentsModel: {
    hash?: string | null;
    hash_algorithm?: string | null;
  } | null;
  readonly sessionContext?: ISession;
  readonly saveState: ISignal<unknown, string>;
  readonly model: {
    dirty: boolean;
    readonly collaborative?: boolean;
    readonly sharedModel: SharedNotebook;
    readonly stateChanged: ISignal<unknown, { name: string }>;
    toJSON(): unknown;
    fromJSON(content: INotebookContent): void;
  };
  revert(): Promise<void>;
}

/** Where the drafts of a session go, and what they are called. */
export interface IDraftOptions {
  /** The address of the server. */
  server: string;
  /** A new name for a draft of this session. */
  name: () => string;
}
