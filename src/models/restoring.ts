import type { IRestored, IRestoreOptions, IRewindClient } from '../tokens';
import type { IOpenDocument } from './history';

/** So many of the newest checkpoints are looked at to see what became of a restore. */
const MOST = 20;

/** What is open could not be saved before a restore, of which nothing was done. */
export class UnsavedEdits extends Error {
  constructor() {
    super('The unsaved edits could not be saved first.');
  }
}

/** A restore whose end is not known, or that was done and is not on the screen. */
export class RestoreDoubt extends Error {
  constructor(
    readonly kind: 'unknown' | 'unseen',
    readonly reason: unknown
  ) {
    super(reason instanceof Error ? reason.message : String(reason));
    this.name = 'RestoreDoubt';
  }
}

/**
 * Brings a document back to a checkpoint and shows it. Unsaved edits are saved first, so that they
 * stand in the history; where that fails, nothing is restored.
 *
 * Where the server's answer is lost, its history tells what was done. Rejects with a `RestoreDoubt`
 * where that cannot be told, or not be shown; after any other failure nothing was restored.
 */
export async function restoreDocument(
  client: IRewindClient,
  document: IOpenDocument,
  ref: string,
  options: IRestoreOptions
): Promise<IRestored> {
  if (document.isDirty) {
    await document.save();
    if (document.isDirty) {
      throw new UnsavedEdits();
    }
  }
  const { path } = document;
  const before = await newestOf(client, path);
  let done: IRestored;
  try {
    done = await client.restore(path, ref, options);
  } catch (reason) {
    if ((reason as { status?: number }).status !== 0) {
      throw reason;
    }
    const found = before && (await readBack(client, path, before, reason));
    if (!found || options.state) {
      // What became of the variables no history tells.
      await (found ? document.reload() : null)?.catch(() => undefined);
      throw new RestoreDoubt('unknown', reason);
    }
    done = found;
  }
  try {
    await document.reload();
  } catch (reason) {
    throw new RestoreDoubt('unseen', reason);
  }
  return done;
}

async function newestOf(
  client: IRewindClient,
  path: string
): Promise<string | null> {
  try {
    return (await client.history(path, 1)).checkpoints[0]?.id ?? null;
  } catch {
    // Without it the server's answer alone tells what was done.
    return null;
  }
}

/** What a restore did whose answer was lost; `null` where the history tells of none. */
async function readBack(
  client: IRewindClient,
  path: string,
  before: string,
  reason: unknown
): Promise<IRestored | null> {
  const { checkpoints } = await client.history(path, MOST).catch(() => {
    throw new RestoreDoubt('unknown', reason);
  });
  const last = checkpoints.findIndex(one => one.id === before);
  const at = checkpoints.findIndex(one => one.reason === 'restore');
  if (at < 0 || at >= last) {
    return null;
  }
  return {
    path,
    source: checkpoints[at],
    checkpoint: checkpoints[at],
    // The file held what stands below it.
    kept: checkpoints[at + 1],
    kept_nearly: false,
    not_kept: [],
    condition: { state: 'ok', words: '', last_good: null },
    state: null
  };
}
