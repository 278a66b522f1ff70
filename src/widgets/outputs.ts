import { OutputArea, OutputAreaModel } from '@jupyterlab/outputarea';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import type { Hindrance, IPlacement } from '../models/away';

/** Outputs that belong to no cell as it is now: each with what was run, and why. */
export function lostOutputsWidget(
  lost: IPlacement['lost'],
  rendermime: IRenderMimeRegistry,
  trans: TranslationBundle
): Widget {
  const panel = new Panel();
  panel.addClass('jp-Rewind-outputs');
  const whys: Record<Hindrance, string> = {
    changed: trans.__('Its cell was changed since:'),
    gone: trans.__('Its cell is not there any more:'),
    several: trans.__('Several cells say the same:')
  };
  for (const { execution, why } of lost) {
    const head = document.createElement('div');
    const words = document.createElement('p');
    words.textContent = whys[why];
    const source = document.createElement('pre');
    source.textContent = execution.source;
    head.append(words, source);
    panel.addWidget(new Widget({ node: head }));
    panel.addWidget(
      new OutputArea({
        model: new OutputAreaModel({
          values: execution.outputs,
          trusted: false
        }),
        rendermime
      })
    );
  }
  return panel;
}
