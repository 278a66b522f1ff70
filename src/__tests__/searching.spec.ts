import { Searching } from '../models/searching';
import type { ISearched } from '../tokens';

/** A search whose answers come when they are called for, and how often something was told. */
function search() {
  const answers: Record<string, (found: ISearched | Error) => void> = {};
  const told: number[] = [];
  const client = {
    search: (_: string, text: string) =>
      new Promise<ISearched>((resolve, reject) => {
        answers[text] = found =>
          found instanceof Error ? reject(found) : resolve(found);
      })
  };
  const searching = new Searching(client, () => told.push(1));
  return { answers, searching, told };
}

const found = (count: number) =>
  ({ count, hits: [], problems: [] }) as ISearched;

describe('a search in all versions', () => {
  it('says that it is under way until it has found something', async () => {
    const { answers, searching, told } = search();
    const asked = searching.ask('a.ipynb', 'x');
    expect([searching.isAsking, told.length]).toEqual([true, 1]);
    answers.x(found(3));
    await asked;
    expect([searching.isAsking, searching.found?.count]).toEqual([false, 3]);
    expect(told.length).toBe(2);
  });

  it('is forgotten once something else is looked for', async () => {
    const { answers, searching } = search();
    const first = searching.ask('a.ipynb', 'x');
    const second = searching.ask('a.ipynb', 'y');
    answers.y(found(1));
    await second;
    answers.x(found(9));
    await first;
    expect(searching.found?.count).toBe(1);
    searching.forget();
    expect(searching.found).toBeNull();
  });

  it('tells why it failed, unless nobody waits for it', async () => {
    const { answers, searching } = search();
    const failing = searching.ask('a.ipynb', 'x');
    answers.x(new Error('busy'));
    await expect(failing).rejects.toThrow('busy');
    expect(searching.isAsking).toBe(false);
    const forgotten = searching.ask('a.ipynb', 'y');
    searching.forget();
    answers.y(new Error('busy'));
    await forgotten;
  });
});
