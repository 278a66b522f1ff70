import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { momentWords } from '../widgets/historywords';
import {
  tell,
  tellBegun,
  tellFailure,
  tellNamed,
  tellWhile
} from '../widgets/telling';

const trans = nullTranslator.load('jupyter_rewind');
const LONG = `${'very '.repeat(40)}long`;

const told = () => Notification.manager.notifications[0];
const labels = () => told().options.actions?.map(action => action.label);

describe('a notification', () => {
  afterEach(() => Notification.manager.dismiss());

  it('offers the whole of what JupyterLab cuts off, after its own actions', () => {
    const undo = { label: 'Undo', callback: () => undefined };
    tell('success', LONG, { actions: [undo], autoClose: 15000 }, trans);
    expect(labels()).toEqual(['Undo', 'Show all']);
    expect(told().options.autoClose).toBe(15000);
  });

  it('shows all of it in a dialog, and stays', async () => {
    tell('warning', LONG, { autoClose: false }, trans);
    const event = new MouseEvent('click', { cancelable: true });
    told().options.actions?.[0].callback(event);
    expect(event.defaultPrevented).toBe(true);
    await new Promise(done => setTimeout(done, 0));
    const dialog = document.querySelector('.jp-Dialog');
    expect(dialog?.textContent).toContain(LONG);
    (dialog?.querySelector('.jp-mod-accept') as HTMLElement).click();
  });

  it('takes the place of what said that it was under way', async () => {
    const id = await tellBegun('Under way…');
    expect(told().type).toBe('in-progress');
    expect(tell('success', 'Done.', { autoClose: 1 }, trans, id)).toBe(id);
    expect(told().message).toBe('Done.');
    expect(told().type).toBe('success');
    expect(Notification.manager.count).toBe(1);
    Notification.dismiss(id);
    tell('success', 'Done.', { autoClose: 1 }, trans, id);
    expect(Notification.manager.count).toBe(1);
  });

  it('tells what is waited for as long as that takes, and nothing of what is quick', async () => {
    jest.useFakeTimers();
    try {
      let end: (answer: string) => void = () => undefined;
      const slow = tellWhile('Waiting…', new Promise(done => (end = done)));
      jest.advanceTimersByTime(500);
      expect(Notification.manager.count).toBe(0);
      jest.advanceTimersByTime(5000);
      expect(told().message).toBe('Waiting…');
      expect(told().type).toBe('in-progress');
      end('there');
      expect(await slow).toBe('there');
      expect(Notification.manager.count).toBe(0);
      await tellWhile('Waiting…', Promise.resolve());
      await expect(
        tellWhile('', Promise.reject(new Error()))
      ).rejects.toThrow();
      jest.advanceTimersByTime(60_000);
      expect(Notification.manager.count).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('says that a name was taken from another checkpoint, and only then', () => {
    tellNamed('v1', null, trans);
    expect(Notification.manager.count).toBe(0);
    const time = '2026-11-22T14:02:31Z';
    tellNamed('v1', time, trans);
    const when = momentWords(Date.parse(time));
    expect(told().message).toContain(
      `“v1” was the name of the checkpoint of ${when}`
    );
    Notification.manager.dismiss();
    tellNamed('v1', '', trans);
    expect(told().message).toMatch(/“v1” was the name of another checkpoint/);
  });

  it('of a few words has no such action', () => {
    tellFailure('The disk is full.', trans);
    expect(labels()).toEqual([]);
    expect(told().type).toBe('error');
    expect(told().options.autoClose).toBe(false);
  });
});
