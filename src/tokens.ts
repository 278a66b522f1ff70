import { Token } from '@lumino/coreutils';

import type { components } from './api';

type Schemas = components['schemas'];

/** One state of a notebook, as the server tells it. */
export type Checkpoint = Schemas['Checkpoint'];

/** What the rest of the extension asks of the server; every call rejects with a `RewindError`. */
export interface IRewindClient {
  /** Keep the file as it is on disk, with a label if one is given. */
  createCheckpoint(path: string, label?: string): Promise<Checkpoint>;
}

export const IRewindClient = new Token<IRewindClient>(
  'jupyter-rewind:IRewindClient',
  'Histories, states of kernels and recovery, as the server offers them.'
);
