import type { IBrought, IRewindClient } from '../tokens';

/** What is to be there again, and in which kernel. */
export interface IBringing {
  kernel: string;
  /** The state, by its id. */
  ref: string;
  name: string;
}

/** What the user wants where a name is taken; `null` is nothing. */
export interface IOtherName {
  name: string;
  /** Take the place of what has that name. */
  replace: boolean;
}

/**
 * Brings one variable of a state back, under its name or, where that is taken, under the one that
 * `ask` gives, for as long as that is taken, too. Tells what is there then; `null` where the user
 * does not want it any more.
 */
export async function bringBack(
  client: Pick<IRewindClient, 'bringBack'>,
  { kernel, ref, name }: IBringing,
  ask: (taken: string) => Promise<IOtherName | null>
): Promise<IBrought | null> {
  let wanted: IOtherName | null = { name, replace: false };
  while (wanted) {
    const { name: as, replace }: IOtherName = wanted;
    try {
      return await client.bringBack(kernel, {
        name,
        ref,
        ...(as !== name && { as }),
        ...(replace && { replace })
      });
    } catch (reason) {
      if ((reason as { code?: string }).code !== 'name_taken') {
        throw reason;
      }
      wanted = await ask(as);
    }
  }
  return null;
}
