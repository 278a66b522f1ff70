import { HistoryModel, type IOpenDocument } from '../models/history';
import { STEP } from '../models/pages';
import type { Checkpoint, Execution, History, IRewindClient } from '../tokens';

/** Ids are numbers here: the larger, the newer. */
function checkpoint(id: string, labels: string[] = []): Checkpoint {
  const time = new Date(1e12 + Number(id) * 1000).toISOString();
  const told = { id, time, labels, note: '', reason: 'save' };
  return told as unknown as Checkpoint;
}

function execution(id: string, seconds: number): Execution {
  const started_ns = (1e12 + seconds * 1000) * 1e6;
  return { id, started_ns, line: id } as unknown as Execution;
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

  isNotebook = true;
  readonly content = null;
  readonly kernel = null;
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
  done: string[] = [],
  executions: Execution[] = []
): IRewindClient {
  return {
    history: async (path: string, limit: number, before?: string) => {
      if (!(path in histories)) {
        throw new Error(`${path} has no history.`);
      }
      const { checkpoints, count } = histories[path];
      const from = 1 + checkpoints.findIndex(one => one.id === before);
      const some = checkpoints.slice(from, from + limit);
      return { checkpoints: some, count } as History;
    },
    executions: async () => ({ items: executions, more: false }),
    addLabel: async (_: string, ref: string, label: string) => ({
      ...checkpoint(ref, [label]),
      moved_from: '1'
    }),
    restore: async (path: string, ref: string) => {
      done.push(`restore ${path} ${ref}`);
      return { path, source: checkpoint(ref), checkpoint: null, kept: null };
    }
  } as unknown as IRewindClient;
}

/** A model of a panel that is in view. */
function lookedAt(client: IRewindClient): HistoryModel {
  const model = new HistoryModel(client);
  model.isLookedAt = true;
  return model;
}

interface IQuestion {
  answer(history: History): void;
  refuse(reason: Error): void;
}

/** A model that has asked for its history twice, and has no answer. */
function askedTwice(): { model: HistoryModel; questions: IQuestion[] } {
  const questions: IQuestion[] = [];
  const client = {
    history: () =>
      new Promise<History>((answer, refuse) =>
        questions.push({ answer, refuse })
      )
  } as unknown as IRewindClient;
  const model = lookedAt(client);
  model.document = new Document('a');
  void model.refresh();
  return { model, questions };
}

const settled = () => new Promise(done => setTimeout(done, 0));

const ids = (model: HistoryModel) =>
  model
    .shown(one =>
      one.kind === 'checkpoint' ? one.checkpoint.labels.join(' ') : one.id
    )
    .map(one => one.id);

describe('HistoryModel', () => {
  it('shows the history of the document that is looked at', async () => {
    const a = historyOf(checkpoint('2'), checkpoint('1'));
    const model = lookedAt(serverWith({ a, b: historyOf() }));
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
    const model = lookedAt(serverWith(histories));
    model.document = new Document('a');
    await model.refresh();
    delete histories.a;
    await model.refresh();
    expect(model.failure?.message).toBe('a has no history.');
    expect(ids(model)).toEqual(['1']);
  });

  it('drops an answer that a later question has overtaken', async () => {
    const { model, questions } = askedTwice();
    questions[1].answer(historyOf(checkpoint('2')));
    questions[0].answer(historyOf(checkpoint('1')));
    await settled();
    expect(ids(model)).toEqual(['2']);
    expect(model.history?.checkpoints[0].id).toBe('2');
  });

  it('drops a failure that a later question has overtaken', async () => {
    const { model, questions } = askedTwice();
    questions[1].answer(historyOf(checkpoint('2')));
    await settled();
    questions[0].refuse(new Error('No answer in time.'));
    await settled();
    expect(model.failure).toBeNull();
    expect(ids(model)).toEqual(['2']);
  });

  it('tells of a failure also where an earlier question is answered after it', async () => {
    const { model, questions } = askedTwice();
    questions[1].refuse(new Error('The server is stopping.'));
    await settled();
    questions[0].answer(historyOf(checkpoint('1')));
    await settled();
    // An empty list without a word would say that nothing is kept.
    expect(model.failure?.message).toBe('The server is stopping.');
    expect(model.isAsking).toBe(false);
  });

  it('drops a failure of the time before another document was looked at', async () => {
    const { model, questions } = askedTwice();
    model.document = new Document('b');
    model.document = new Document('a');
    questions[3].answer(historyOf(checkpoint('2')));
    questions[0].refuse(new Error('No answer in time.'));
    await settled();
    expect(model.failure).toBeNull();
    expect(ids(model)).toEqual(['2']);
  });

  it('saves unsaved edits before it restores, then shows the file', async () => {
    const done: string[] = [];
    const a = historyOf(checkpoint('1'));
    const model = lookedAt(serverWith({ a }, done));
    const document = new Document('a', done);
    document.isDirty = true;
    model.document = document;
    await model.restore('1');
    expect(done).toEqual(['save', 'restore a 1', 'reload']);
  });

  it('restores nothing where the unsaved edits cannot be saved', async () => {
    const done: string[] = [];
    const model = lookedAt(serverWith({ a: historyOf() }, done));
    const document = new Document('a', done);
    document.isDirty = true;
    document.savesWork = false;
    model.document = document;
    await expect(model.restore('1')).rejects.toThrow('could not be saved');
    expect(done).toEqual(['save']);
  });

  it('reads back what a restore did whose answer was lost', async () => {
    const done: string[] = [];
    const histories = { a: historyOf(checkpoint('2'), checkpoint('1')) };
    const client = serverWith(histories, done);
    const lost = Object.assign(new Error('No answer.'), { status: 0 });
    client.restore = async () => {
      const restored = { ...checkpoint('3'), reason: 'restore' };
      histories.a = historyOf(
        restored as Checkpoint,
        checkpoint('2'),
        checkpoint('1')
      );
      throw lost;
    };
    const model = lookedAt(client);
    model.document = new Document('a', done);
    const { checkpoint: head, kept } = await model.restore('1');
    expect([head?.id, kept?.id]).toEqual(['3', '2']);
    expect(done).toEqual(['reload']);
    expect(ids(model)).toEqual(['3', '2', '1']);
  });

  it('does not say what became of a restore where nothing tells it', async () => {
    const lost = Object.assign(new Error('No answer.'), { status: 0 });
    const client = serverWith({ a: historyOf(checkpoint('1')) });
    client.restore = () => Promise.reject(lost);
    const model = lookedAt(client);
    model.document = new Document('a');
    const doubt = { name: 'RestoreDoubt', kind: 'unknown' };
    await expect(model.restore('1')).rejects.toMatchObject(doubt);
    client.history = () => Promise.reject(lost);
    await expect(model.restore('1')).rejects.toMatchObject(doubt);
    const refused = Object.assign(new Error('Refused.'), { status: 403 });
    client.restore = () => Promise.reject(refused);
    await expect(model.restore('1')).rejects.toBe(refused);
  });

  it('says that a restore was done that cannot be shown', async () => {
    const model = lookedAt(serverWith({ a: historyOf(checkpoint('1')) }));
    const document = new Document('a');
    document.reload = () => Promise.reject(new Error('No answer.'));
    model.document = document;
    await expect(model.restore('1')).rejects.toMatchObject({ kind: 'unseen' });
  });

  it('asks for nothing until somebody looks', async () => {
    const a = historyOf(checkpoint('1'));
    const model = new HistoryModel(serverWith({ a }));
    model.document = new Document('a');
    await model.refresh();
    expect([ids(model), model.isAsking]).toEqual([[], false]);
    const came = new Promise<void>(resolve =>
      model.changed.connect(() => resolve())
    );
    model.isLookedAt = true;
    await came;
    expect(ids(model)).toEqual(['1']);
  });

  it('fetches older checkpoints step by step', async () => {
    const all = Array.from({ length: STEP + 5 }, (_, i) =>
      checkpoint(`${STEP + 5 - i}`)
    );
    const model = lookedAt(serverWith({ a: historyOf(...all) }));
    model.document = new Document('a');
    await model.refresh();
    expect([ids(model).length, model.hasMore]).toEqual([STEP, true]);
    await model.more();
    expect([ids(model).length, model.hasMore]).toEqual([STEP + 5, false]);
  });

  it('filters by what the words contain, whatever their case', async () => {
    const a = historyOf(checkpoint('2', ['For Ada']), checkpoint('1'));
    const model = lookedAt(serverWith({ a }));
    model.document = new Document('a');
    await model.refresh();
    model.filter = 'ada';
    expect(ids(model)).toEqual(['2']);
  });

  it('keeps older ones at hand when a new one comes', async () => {
    const all = Array.from({ length: STEP + 5 }, (_, i) =>
      checkpoint(`${STEP + 5 - i}`)
    );
    const histories = { a: historyOf(...all) };
    const model = lookedAt(serverWith(histories));
    model.document = new Document('a');
    await model.refresh();
    await model.more();
    histories.a = historyOf(checkpoint('1000'), ...all);
    await model.refresh();
    expect(ids(model)).toEqual(['1000', ...all.map(one => one.id)]);
  });

  it('lists runs among the checkpoints once they are asked for', async () => {
    const a = historyOf(checkpoint('20'), checkpoint('10'));
    const ran = [execution('late', 25), execution('between', 15)];
    const model = lookedAt(serverWith({ a }, [], ran));
    model.document = new Document('a');
    await model.refresh();
    expect(ids(model)).toEqual(['20', '10']);
    model.toggle('execution');
    await model.refreshRan();
    expect(ids(model)).toEqual(['late', '20', 'between', '10']);
    model.toggle('checkpoint');
    expect(ids(model)).toEqual(['late', 'between']);
  });

  it('lists the checkpoints of a text, whatever is chosen for notebooks', async () => {
    const a = historyOf(checkpoint('20'), checkpoint('10'));
    const model = lookedAt(serverWith({ a }));
    model.toggle('execution');
    model.toggle('checkpoint');
    const text = new Document('a');
    text.isNotebook = false;
    model.document = text;
    await model.refresh();
    expect(ids(model)).toEqual(['20', '10']);
    model.document = new Document('a');
    expect([...model.kinds]).toEqual(['execution']);
  });

  it('tells a failure until what failed has come', async () => {
    const histories: Record<string, History> = {};
    const model = lookedAt(serverWith(histories));
    model.toggle('execution');
    model.document = new Document('a');
    await model.refresh();
    await model.refreshRan();
    expect(model.failure?.message).toBe('a has no history.');
    histories.a = historyOf(checkpoint('1'));
    await model.refresh();
    expect(model.failure).toBeNull();
  });

  it('moves a name from one checkpoint to another', async () => {
    const a = historyOf(checkpoint('2'), checkpoint('1', ['good', 'old']));
    const model = lookedAt(serverWith({ a }));
    model.document = new Document('a');
    await model.refresh();
    expect(await model.addLabel('2', 'good')).toBe('1');
    const labels = model.checkpoints.map(one => one.labels);
    expect(labels).toEqual([['good'], ['old']]);
  });
});
