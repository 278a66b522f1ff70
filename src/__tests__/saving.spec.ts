import { isUnreachable, PAUSE } from '../models/saving';
import { opened, settle } from './savable';

describe('Saving', () => {
  it('says how a document stands', async () => {
    const { document, saving } = await opened();
    expect(saving.standing).toBe('saved');
    document.edit('a');
    await settle();
    expect(saving.standing).toBe('unsaved');
    const done = document.save();
    expect(saving.standing).toBe('saving');
    await done;
    await settle();
    expect(saving.standing).toBe('saved');
    document.contentsModel.writable = false;
    expect(saving.standing).toBe('read-only');
  });

  it('makes one save at a time, whoever asks', async () => {
    const { document } = await opened();
    let others: Promise<unknown> = Promise.resolve();
    document.during = () => {
      document.during = () => undefined;
      document.edit('b');
      others = Promise.all([document.save(), document.save()]);
      // They wait: the first one is not done.
      expect(document.saves).toEqual([]);
    };
    document.edit('a');
    await document.save();
    expect(document.saves).toEqual(['a']);
    await others;
    expect(document.saves).toEqual(['a', 'ab', 'ab']);
  });

  it('makes the next save also where the one before it failed', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.failure = new Error('The disk is full.');
    const first = document.save();
    const second = document.save();
    await expect(first).rejects.toThrow('full');
    document.failure = null;
    await second;
    expect(document.saves).toEqual(['a']);
    expect(saving.standing).toBe('saved');
  });

  it('does not take a notebook that was only opened for changed', async () => {
    const { document, saving } = await opened();
    document.describeKernel();
    await settle();
    expect(document.model.dirty).toBe(false);
    document.edit('a');
    document.describeKernel();
    await settle();
    expect(document.model.dirty).toBe(true);
    await saving.saveUnasked();
    expect(document.saves).toEqual(['a']);
  });

  it('takes what is typed during a save for unsaved', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.during = () => {
      document.during = () => undefined;
      document.edit('b');
    };
    await saving.saveUnasked();
    await settle();
    expect(document.saves).toEqual(['a']);
    expect(saving.standing).toBe('unsaved');
    await saving.saveUnasked();
    await settle();
    expect(document.saves).toEqual(['a', 'ab']);
    expect(saving.standing).toBe('saved');
  });

  it('saves again soon what came while a save ran', async () => {
    jest.useFakeTimers();
    const { document, saving } = await opened(() => 0);
    document.edit('a');
    await settle();
    document.during = () => {
      document.during = () => undefined;
      document.edit('b');
      void saving.saveUnasked();
    };
    await saving.saveUnasked();
    await jest.advanceTimersByTimeAsync(PAUSE);
    expect(document.saves).toEqual(['a', 'ab']);
    jest.useRealTimers();
  });

  it('saves what came while a save ran before the document is closed', async () => {
    const { document, saving } = await opened();
    let end = () => undefined as void;
    const ended = new Promise<void>(done => (end = done));
    document.edit('a');
    document.during = () => {
      document.during = () => undefined;
      document.edit('b');
      return ended;
    };
    const first = document.save();
    const last = saving.saveLast();
    await settle();
    expect(document.saves).toEqual([]);
    end();
    await Promise.all([first, last]);
    await settle();
    expect(document.saves).toEqual(['a', 'ab']);
    expect(saving.standing).toBe('saved');
  });

  it('saves before the document is closed also where the save before it failed', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.failure = new TypeError('Failed to fetch');
    const first = document.save();
    const last = saving.saveLast();
    await expect(first).rejects.toThrow('fetch');
    document.failure = null;
    await last;
    expect(document.saves).toEqual(['a']);
  });

  it('saves nothing that is unchanged', async () => {
    const { document, saving } = await opened();
    await saving.saveUnasked();
    expect(document.saves).toEqual([]);
  });

  it('tells a failure until a save succeeds', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.failure = new Error('The disk is full.');
    await saving.saveUnasked();
    await settle();
    expect(saving.standing).toBe('failed');
    expect(saving.failure?.message).toBe('The disk is full.');
    document.failure = null;
    await document.save();
    await settle();
    expect(saving.standing).toBe('saved');
    expect(document.saves).toEqual(['a']);
  });

  it('leaves a conflict to the user', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.failure = new Error('Cancel');
    document.failure.name = 'ModalCancelError';
    await expect(document.save()).rejects.toThrow('Cancel');
    await settle();
    expect(saving.standing).toBe('conflict');
    document.failure = null;
    await saving.saveUnasked();
    expect(document.saves).toEqual([]);
  });

  it('tells of a conflict also where nothing was edited', async () => {
    const { document, saving } = await opened();
    document.failure = new Error('Cancel');
    document.failure.name = 'ModalCancelError';
    await expect(document.save()).rejects.toThrow('Cancel');
    await settle();
    expect(saving.standing).toBe('conflict');
  });

  it('takes what was read from the file again for saved', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    await document.save();
    document.edit('b');
    document.failure = new Error('Cancel');
    document.failure.name = 'ModalCancelError';
    await expect(document.save()).rejects.toThrow('Cancel');
    await document.revert();
    await settle();
    expect(document.text).toBe('a');
    expect(saving.standing).toBe('saved');
    expect(document.model.dirty).toBe(false);
    document.edit('c');
    await settle();
    expect(saving.standing).toBe('unsaved');
  });

  it('keeps what is unsaved unsaved while the file is renamed', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    // JupyterLab tells of the file under its new name.
    document.fileChanged.emit({});
    await settle();
    expect(document.model.dirty).toBe(true);
    expect(saving.standing).toBe('unsaved');
  });

  it('takes the choice of another kernel for an edit, and its start for none', async () => {
    const { document, saving } = await opened();
    const choose = (oldValue: unknown, name: string) => {
      const newValue = { name, display_name: name };
      document.model.dirty = true;
      document.metadataChanged.emit({ key: 'kernelspec', oldValue, newValue });
      document.contentChanged.emit();
    };
    choose(undefined, 'python3');
    choose({ name: 'python3' }, 'python3');
    await settle();
    expect(saving.standing).toBe('saved');
    choose({ name: 'python3' }, 'other');
    await settle();
    expect(saving.standing).toBe('unsaved');
  });

  it('knows that a save ended in reading the file again', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    await document.save();
    document.edit('b');
    // The button Revert in the question what to do with a file that was changed elsewhere.
    document.during = () => document.revert();
    await document.save();
    await settle();
    expect(saving.standing).toBe('saved');
  });

  it('knows an absent server from one that refuses', async () => {
    const { document, saving } = await opened();
    document.edit('a');
    document.failure = new TypeError('Failed to fetch');
    await saving.saveUnasked();
    await settle();
    expect(saving.standing).toBe('offline');
    expect(isUnreachable(new Error('403'))).toBe(false);
  });

  it('rests ten times as long as the last save took', async () => {
    jest.useFakeTimers();
    let now = 1_000_000;
    const { document, saving } = await opened(() => now);
    document.during = () => {
      now += 4000;
    };
    document.edit('a');
    await settle();
    saving.saveSoon();
    await jest.advanceTimersByTimeAsync(PAUSE);
    expect(document.saves).toEqual(['a']);
    document.edit('b');
    await settle();
    saving.saveSoon();
    await jest.advanceTimersByTimeAsync(39_000);
    expect(document.saves).toEqual(['a']);
    await jest.advanceTimersByTimeAsync(2000);
    expect(document.saves).toEqual(['a', 'ab']);
    jest.useRealTimers();
  });
});
