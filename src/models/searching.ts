import type { IRewindClient, ISearched } from '../tokens';

/** More than that nobody reads, and they would keep the page busy. */
export const MOST_HITS = 200;

/** Looks for a text in every version of a document. */
export class Searching {
  /** `tell` is called whenever there is something else to show. */
  constructor(
    private readonly client: Pick<IRewindClient, 'search'>,
    private readonly tell: () => void
  ) {}

  /** What was found; `null` until it is, and once something else is asked for. */
  get found(): ISearched | null {
    return this._found;
  }

  /** Whether the server looks just now. */
  get isAsking(): boolean {
    return this._isAsking;
  }

  /** Nothing is looked for any more. */
  forget(): void {
    this._turn += 1;
    this._found = null;
    this._isAsking = false;
  }

  /** Asks the server; rejects where it fails, unless nobody wants to know any more. */
  async ask(path: string, text: string): Promise<void> {
    this.forget();
    const turn = this._turn;
    this._isAsking = true;
    this.tell();
    try {
      const found = await this.client.search(path, text, MOST_HITS);
      if (turn === this._turn) {
        this._found = found;
      }
    } catch (reason) {
      if (turn === this._turn) {
        throw reason;
      }
    } finally {
      if (turn === this._turn) {
        this._isAsking = false;
        this.tell();
      }
    }
  }

  private _found: ISearched | null = null;
  private _isAsking = false;
  private _turn = 0;
}
