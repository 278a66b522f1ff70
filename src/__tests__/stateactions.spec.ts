import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { movedLines, tellBrought, tellMoved } from '../widgets/stateactions';

const WORDS =
  'Back to the state after In[1].\nrows: rebuilt\n`%rewind undo` takes this back.';

describe('what a move of the variables did', () => {
  afterEach(() => Notification.manager.dismiss());

  it('is told without the magic that takes it back', () => {
    expect(movedLines(WORDS)).toEqual([
      'Back to the state after In[1].',
      'rows: rebuilt'
    ]);
  });

  it('is told with a button that takes it back', async () => {
    const done: string[] = [];
    const undo = async () => void done.push('undone');
    const told = async (failed: string, act: () => Promise<unknown>) => {
      done.push(failed);
      await act();
    };
    tellMoved({ words: WORDS }, undo, told, nullTranslator.load(''));
    const [{ message, options }] = Notification.manager.notifications;
    expect(message).toBe('Back to the state after In[1].');
    const [first, second] = options.actions ?? [];
    expect([first.label, second.label]).toEqual(['Undo', 'Details']);
    first.callback(new MouseEvent('click'));
    await Promise.resolve();
    expect(done).toEqual(['Nothing was undone.', 'undone']);
  });
});

describe('a variable that is there again', () => {
  const told = (missing: string) => {
    const brought = { name: 'd_1', missing };
    tellBrought(brought, 'd', { count: 1 }, nullTranslator.load(''));
    return Notification.manager.notifications[0];
  };

  afterEach(() => Notification.manager.dismiss());

  it('is told, and goes by itself', () => {
    const { message, options, type } = told('');
    expect([message, type]).toEqual([
      'd_1 is what d was after cell [1].',
      'success'
    ]);
    expect(options.autoClose).toBeGreaterThan(0);
  });

  it('says what of it was not kept, until that is read', () => {
    const { message, options, type } = told('a generator');
    expect(message).toBe(
      'd_1 is what d was after cell [1]. But for a part that was not kept: a generator.'
    );
    expect([type, options.autoClose]).toEqual(['warning', false]);
  });
});
