import { HistoryModel, type IOpenDocument, STEP } from '../models/history';
import type { Checkpoint, History, IRewindClient } from '../tokens';

function checkpoint(id: string, labels: string[] = []): Checkpoint {
  return { id, labels, note: '', reason: 'save' } as unknown as Checkpoint;
}

function historyOf(...checkpoints: Checkpoint[]): History {
  return { checkpoints, count: checkpoints.length } as unknown as History;
}

/** A document that remembers what was done to it, in order. */
class Document implements IOpenDocument {
  constructor(
    readonly path: string,
    readonly done: string[] = []
  ) {}

  isDirty = false;
  savesWork = true;

  async save(): Promise<void> {
    this.done.push('save');
    this.isDirty = this.isDirty && !this.savesWork;
  }

  async reload(): Promise<void> {
    this.done.push('reload');
  }
}

/** A server with one history a path; only what the model uses of it. */
function serverWith(
  histories: Record<string, History>,
  done: string[] = []
): IRewindClient {
  return {
    history: async (path: string, limit: number) => {
      if (!(path in histories)) {
        throw new Error(`${path} has no history.`);
      }
      const { checkpoints, count } = histories[path];
      return { checkpoints: checkpoints.slice(0, limit), count } as History;
    },
    restore: async (path: string, ref: string) => {
      done.push(`restore ${path} ${ref}`);
      return { path, source: checkpoint(ref), checkpoint: null, kept: null };
    }
  } as unknown as IRewindClient;
}

const ids = (model: HistoryModel) =>
  model.shown(one => one.labels.join(' ')).map(one => one.id);

describe('HistoryModel', () => {
  it('shows the history of the document that is looked at', async () => {
    const a = historyOf(checkpoint('2'), checkpoint('1'));
    const model = new HistoryModel(serverWith({ a, b: historyOf() }));
    model.document = new Document('a');
    await model.refresh();
    expect(ids(model)).toEqual(['2', '1']);
    model.document = new Document('b');
    expect(ids(model)).toEqual([]);
  });

  it('tells a failure and keeps what it had', async () => {
    const histories: Record<string, History> = {
      a: historyOf(checkpoint('1'))
    };
    const model = new HistoryModel(serverWith(histories));
    model.document = new Document('a');
    await model.refresh();
    delete histories.a;
    await model.refresh();
    expect(model.failure?.message).toBe('a has no history.');
    expect(ids(model)).toEqual(['1']);
  });

  it('drops an answer that a later question has overtaken', async () => {
    const answers: ((history: History) => void)[] = [];
    const client = {
      history: () => new Promise<History>(answer => answers.push(answer))
    } as unknown as IRewindClient;
    const model = new HistoryModel(client);
    model.document = new Document('a');
    const later = model.refresh();
    answers[1](historyOf(checkpoint('new')));
    answers[0](historyOf(checkpoint('old')));
    await later;
    expect(ids(model)).toEqual(['new']);
  });

  it('saves unsaved edits before it restores, then shows the file', async () => {
    const done: string[] = [];
    const a = historyOf(checkpoint('1'));
    const model = new HistoryModel(serverWith({ a }, done));
    const document = new Document('a', done);
    document.isDirty = true;
    model.document = document;
    await model.restore('1');
    expect(done).toEqual(['save', 'restore a 1', 'reload']);
  });

  it('restores nothing where the unsaved edits cannot be saved', async () => {
    const done: string[] = [];
    const model = new HistoryModel(serverWith({ a: historyOf() }, done));
    const document = new Document('a', done);
    document.isDirty = true;
    document.savesWork = false;
    model.document = document;
    await expect(model.restore('1')).rejects.toThrow('could not be saved');
    expect(done).toEqual(['save']);
  });

  it('fetches older checkpoints step by step', async () => {
    const all = Array.from({ length: STEP + 5 }, (_, i) => checkpoint(`${i}`));
    const model = new HistoryModel(serverWith({ a: historyOf(...all) }));
    model.document = new Document('a');
    await model.refresh();
    expect([ids(model).length, model.hasMore]).toEqual([STEP, true]);
    await model.more();
    expect([ids(model).length, model.hasMore]).toEqual([STEP + 5, false]);
  });

  it('filters by what the words contain, whatever their case', async () => {
    const a = historyOf(checkpoint('2', ['For Ada']), checkpoint('1'));
    const model = new HistoryModel(serverWith({ a }));
    model.document = new Document('a');
    await model.refresh();
    model.filter = 'ada';
    expect(ids(model)).toEqual(['2']);
  });
});
