import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';

import { browserName } from '../models/windows';
import type { Draft } from '../tokens';
import { offerWords, tellOffer } from '../widgets/draftnotices';

const trans = nullTranslator.load('jupyter_rewind');

function words(browser: string): string {
  const changed = '2026-11-22T14:02:00Z';
  const draft = { draft: 'd', author: 'Ada', browser, changed } as Draft;
  return offerWords('analysis.ipynb', draft, trans);
}

describe('the offer of edits that were left behind', () => {
  it('leads on to older ones, which need not be dropped for that', () => {
    const changed = '2026-11-22T14:02:00Z';
    const draft = { draft: 'd', browser: browserName(), changed } as Draft;
    const done: string[] = [];
    const answers = {
      restore: () => done.push('restore'),
      compare: () => done.push('compare'),
      discard: () => done.push('discard'),
      showOlder: () => done.push('older')
    };
    const actionsOf = (older: number) => {
      const id = tellOffer('a.ipynb', draft, older, trans, answers);
      const { notifications } = Notification.manager;
      return notifications.find(each => each.id === id)?.options.actions ?? [];
    };
    expect(actionsOf(0).map(each => each.label)).not.toContain('Older (0)');
    const last = actionsOf(2)[3];
    expect(last.label).toBe('Older (2)');
    last.callback(new MouseEvent('click'));
    expect(done).toEqual(['older']);
  });

  it('says that a browser is another one at another address of the server, too', () => {
    expect(words('elsewhere')).toContain(
      'made in another browser or at another address (Ada)'
    );
    expect(words(browserName())).not.toContain('another');
  });
});
