import { RewindError } from '../requests';
import type { History, IRewindClient } from '../tokens';

/** What the user chose for a notebook that does not open. */
export type Choice = 'restore' | 'recover' | 'leave';

/** What is wrong with a file, and the checkpoint that would mend it. */
export type Condition = History['condition'];

/** How the user is asked; `null` stands for a file that nothing is kept of. */
export type Ask = (
  path: string,
  condition: Condition | null
) => Promise<Choice>;

/** Offers help for a notebook that does not open; each notebook is asked about once at a time. */
export class DamageOffer {
  constructor(
    private readonly client: IRewindClient,
    private readonly ask: Ask
  ) {}

  /** What was chosen and done; `leave` where nothing is known to be wrong with the file. */
  offer(path: string): Promise<Choice> {
    let answer = this._open.get(path);
    if (!answer) {
      answer = this.help(path).finally(() => this._open.delete(path));
      this._open.set(path, answer);
    }
    return answer;
  }

  private async help(path: string): Promise<Choice> {
    const condition = await this.condition(path);
    if (condition?.state === 'ok' || condition?.state === 'missing') {
      return 'leave';
    }
    const choice = await this.ask(path, condition);
    if (choice === 'restore' && condition?.last_good) {
      await this.client.restore(path, condition.last_good);
    }
    return choice;
  }

  private async condition(path: string): Promise<Condition | null> {
    try {
      return (await this.client.history(path, 1)).condition;
    } catch (reason) {
      if (reason instanceof RewindError && reason.status === 404) {
        return null;
      }
      throw reason;
    }
  }

  private readonly _open = new Map<string, Promise<Choice>>();
}
