import type { ISignal } from '@lumino/signaling';

import type { SharedNotebook } from './draftdoc';

/** What is needed of a notebook's context; JupyterLab's fits. */
export interface IDraftContext {
  readonly localPath: string;
  readonly contentsModel: {
    hash?: string | null;
    hash_algorithm?: string | null;
  } | null;
  readonly saveState: ISignal<unknown, string>;
  readonly model: {
    dirty: boolean;
    readonly collaborative?: boolean;
    readonly sharedModel: SharedNotebook;
    readonly stateChanged: ISignal<unknown, { name: string }>;
    toJSON(): unknown;
  };
  revert(): Promise<void>;
}
