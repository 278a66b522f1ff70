import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { tell, tellBegun, tellFailure, tellNamed } from '../widgets/telling';

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

  it('says that a name was taken from another checkpoint, and only then', () => {
    tellNamed('v1', null, trans);
    expect(Notification.manager.count).toBe(0);
    tellNamed('v1', '0123456789', trans);
    expect(told().message).toMatch(/called “v1” until now \(01234567\)/);
  });

  it('of a few words has no such action', () => {
    tellFailure('The disk is full.', trans);
    expect(labels()).toEqual([]);
    expect(told().type).toBe('error');
    expect(told().options.autoClose).toBe(false);
  });
});
