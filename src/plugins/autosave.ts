import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { answerMagic } from '../models/autosave';
import { ISaves } from '../tokens';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:autosave',
  description: 'Does what the magic %autosave of a notebook asks for.',
  autoStart: true,
  requires: [INotebookTracker, ISaves],
  optional: [ITranslator],
  activate: (
    _: JupyterFrontEnd,
    notebooks: INotebookTracker,
    saves: ISaves,
    translator: ITranslator | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');

    notebooks.widgetAdded.connect((__, panel) => {
      const { context } = panel;
      const actions = {
        choose: (seconds: number) => saves.intervals.choose(context, seconds),
        tell: () => {
          const seconds = saves.intervals.secondsOf(context);
          return seconds
            ? trans._n(
                'Autosaving every second',
                'Autosaving every %1 seconds',
                seconds
              )
            : trans.__('Autosave disabled');
        }
      };
      const hook = (message: KernelMessage.IIOPubMessage) =>
        answerMagic(message, actions);
      followKernels(panel, hook);
    });
  }
};

/** What cells with the magic in them send passes through `hook` first. */
function followKernels(
  panel: NotebookPanel,
  hook: (message: KernelMessage.IIOPubMessage) => boolean
): void {
  const watch = (
    kernel: Kernel.IKernelConnection,
    { msg, direction }: Kernel.IAnyMessageArgs
  ) => {
    if (direction !== 'send' || msg.header.msg_type !== 'execute_request') {
      return;
    }
    const { code } = (msg as KernelMessage.IExecuteRequestMsg).content;
    if (code.includes('autosave')) {
      // The kernel's connection knows the request as soon as it has been sent.
      void Promise.resolve().then(() =>
        kernel.registerMessageHook(msg.header.msg_id, hook)
      );
    }
  };
  const { sessionContext } = panel;
  sessionContext.kernelChanged.connect((_, { oldValue, newValue }) => {
    oldValue?.anyMessage.disconnect(watch);
    newValue?.anyMessage.connect(watch);
  });
  sessionContext.session?.kernel?.anyMessage.connect(watch);
}

export default plugin;
