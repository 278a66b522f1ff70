import { nullTranslator } from '@jupyterlab/translation';

import { browserName } from '../models/windows';
import type { Draft } from '../tokens';
import { offerWords } from '../widgets/draftnotices';

const trans = nullTranslator.load('jupyter_rewind');

function words(browser: string): string {
  const changed = '2026-11-22T14:02:00Z';
  const draft = { draft: 'd', author: 'Ada', browser, changed } as Draft;
  return offerWords('analysis.ipynb', draft, trans);
}

describe('the offer of edits that were left behind', () => {
  it('says that a browser is another one at another address of the server, too', () => {
    expect(words('elsewhere')).toContain(
      'made in another browser or at another address (Ada)'
    );
    expect(words(browserName())).not.toContain('another');
  });
});
