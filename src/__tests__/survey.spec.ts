import { nullTranslator } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { RecoveryModel } from '../models/recovery';
import type { IRecovered, IRewindClient, RecoveryReport } from '../tokens';
import { RecoveryWidget } from '../widgets/recovery';

const FOUND = { path: '', notebooks: [], loose: [], problems: [], places: [] };

/** What the view of a folder says where nothing was found. */
function said(incomplete: string[]): Promise<string> {
  return told('', {
    traces: () => Promise.resolve(FOUND),
    deleted: () => Promise.resolve({ deleted: [], incomplete })
  });
}

/** What the view of a notebook says. */
function saidOf(report: Partial<RecoveryReport>): Promise<string> {
  const whole = { adds_nothing: false, next_steps: [], ...report };
  const recovered = { path: 'a.ipynb', page: '', report: whole };
  return told('a.ipynb', {
    previewRecovery: () => Promise.resolve(recovered as unknown as IRecovered)
  });
}

async function told(
  path: string,
  client: Partial<IRewindClient>
): Promise<string> {
  const model = new RecoveryModel(client as IRewindClient);
  const widget = new RecoveryWidget({
    model,
    actions: { write: () => undefined, undelete: () => undefined },
    trans: nullTranslator.load('jupyter_rewind')
  });
  Widget.attach(widget, document.body);
  await model.look(path);
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

describe('a notebook that was looked into', () => {
  it('is told as whole where nothing can be brought back', async () => {
    expect(await saidOf({ adds_nothing: true })).toContain('nothing to bring');
    const words = await saidOf({});
    expect(words).toContain('Nothing is written yet');
    expect(words).not.toContain('nothing to bring');
  });

  it('is told with where options belong, if there are any', async () => {
    const steps = ["Another version: build on it with --from '/a/b'"];
    expect(await saidOf({ next_steps: steps })).toContain('in a terminal');
    expect(await saidOf({ next_steps: ['Ask Ada.'] })).not.toContain(
      'in a terminal'
    );
  });
});
