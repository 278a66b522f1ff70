import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { RecoveryModel } from '../models/recovery';
import type { IRewindClient } from '../tokens';
import { RecoveryWidget } from '../widgets/recovery';

const FOUND = { path: '', notebooks: [], loose: [], problems: [], places: [] };

/** What the view of a folder says where nothing was found. */
async function said(incomplete: string[]): Promise<string> {
  const model = new RecoveryModel({
    traces: () => Promise.resolve(FOUND),
    deleted: () => Promise.resolve({ deleted: [], incomplete })
  } as unknown as IRewindClient);
  const widget = new RecoveryWidget({
    model,
    actions: { write: () => undefined, undelete: () => undefined },
    trans: nullTranslator.load('jupyter_rewind')
  });
  Widget.attach(widget, document.body);
  await model.look('');
  await widget.renderPromise;
  const words = widget.node.textContent ?? '';
  widget.dispose();
  return words;
}

describe('a folder in which nothing was found', () => {
  it('is told as such where all could be read', async () => {
    expect(await said([])).toContain('Nothing was found');
  });

  it('is not where a part of the store could not be read', async () => {
    const why = 'Deleted notebooks may be missing here.';
    const words = await said([why]);
    expect(words).toContain(why);
    expect(words).not.toContain('Nothing was found');
  });
});
