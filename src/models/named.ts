import type { IRewindClient } from '../tokens';

/** So many of the newest checkpoints are looked at for one that is named by its id. */
const MOST = 200;

/**
 * When a checkpoint was made, as the server writes it; empty where that is not found, `null` for
 * none.
 */
export async function timeOf(
  client: Pick<IRewindClient, 'history'>,
  path: string,
  id: string | null
): Promise<string | null> {
  if (id === null) {
    return null;
  }
  try {
    const { checkpoints } = await client.history(path, MOST);
    return checkpoints.find(each => each.id === id)?.time ?? '';
  } catch {
    // What it is asked for can be told without it.
    return '';
  }
}
