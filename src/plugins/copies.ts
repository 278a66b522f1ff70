import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { Copies } from '../models/copies';
import { IRewindClient } from '../tokens';
import { CopiesWidget } from '../widgets/copies';

const EVENTS =
  /^https:\/\/schema\.jupyter\.org\/jupyter_rewind\/(replica|store)\//;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:copies',
  description:
    'Says in the status bar that nothing is kept, or how far behind the copies elsewhere are.',
  autoStart: true,
  requires: [IRewindClient, IStatusBar],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    statusBar: IStatusBar,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const copies = new Copies(
      () => client.health(),
      () => !document.hidden
    );
    const item = new CopiesWidget(copies, trans, words => {
      void showDialog({
        title: words.short,
        body: words.long,
        buttons: [Dialog.okButton({ label: trans.__('Close') })]
      });
    });
    statusBar.registerStatusItem('jupyter-rewind:copies', {
      item,
      align: 'left',
      rank: 101,
      isActive: () => item.words !== null,
      activeStateChanged: copies.changed
    });
    app.serviceManager.events.stream.connect((_, event) => {
      if (EVENTS.test(event.schema_id)) {
        void copies.look();
      }
    });
    app.serviceManager.contents.fileChanged.connect((_, change) => {
      if (change.type === 'save') {
        copies.lookSoon();
      }
    });
    document.addEventListener('visibilitychange', () => void copies.look());
    void app.restored.then(() => copies.look());
  }
};

export default plugin;
