import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog, ICommandPalette, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { nameImages, noneWords } from '../models/images';
import { sizeWords } from '../models/sizes';
import { RewindError } from '../requests';
import { IRewindClient, type ProcessImage } from '../tokens';
import { momentWords } from '../widgets/historywords';
import { ImageChoice } from '../widgets/imagechoice';
import { tell, tellFailure } from '../widgets/telling';
import { whyOf } from '../widgets/why';

const CREATE = 'jupyter-rewind:create-image';
const SLEEP = 'jupyter-rewind:sleep-in-image';
const RESTORE = 'jupyter-rewind:restore-image';
const CLEAR = 'jupyter-rewind:clear-images';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-rewind:images',
  description: 'Makes and restores images of whole kernel processes.',
  autoStart: true,
  requires: [IRewindClient, INotebookTracker],
  optional: [ITranslator, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    palette: ICommandPalette | null
  ): void => {
    const trans = (translator ?? nullTranslator).load('jupyter_rewind');
    const { contents } = app.serviceManager;
    const current = () =>
      notebooks.currentWidget === app.shell.currentWidget
        ? notebooks.currentWidget
        : null;
    const pathOf = (panel: NotebookPanel) =>
      contents.localPath(panel.context.path);

    function kernelOf(panel: NotebookPanel): string {
      const kernel = panel.sessionContext.session?.kernel;
      if (!kernel) {
        throw new Error(trans.__('This notebook has no kernel now.'));
      }
      return kernel.id;
    }

    const told = async (failed: string, act: () => Promise<void>) => {
      try {
        await act();
      } catch (reason) {
        tellFailure(`${failed} ${whyOf(reason, trans)}`, trans);
      }
    };
    const notRestored = trans.__('The process image was not restored.');

    /** Does something with the notebook in front, and tells the user where it fails. */
    function command(
      id: string,
      label: string,
      caption: string,
      failed: string,
      act: (panel: NotebookPanel) => Promise<void>
    ): void {
      app.commands.addCommand(id, {
        label,
        caption,
        describedBy: { args: { type: 'object', properties: {} } },
        isEnabled: () => current() !== null,
        execute: async () => {
          const panel = current();
          if (panel) {
            await told(failed, () => act(panel));
          }
        }
      });
      palette?.addItem({
        command: id,
        category: trans.__('Kernel Operations')
      });
    }

    /** An image of a kernel; where none can be made at all, it is said why. */
    async function make(
      panel: NotebookPanel,
      stop: boolean
    ): Promise<ProcessImage> {
      try {
        return await client.createImage(kernelOf(panel), stop);
      } catch (reason) {
        const isOff =
          reason instanceof RewindError && reason.code === 'not_imageable';
        const { problem } = isOff
          ? await client.images(pathOf(panel))
          : { problem: null };
        throw problem ? new Error(noneWords(problem, trans)) : reason;
      }
    }

    async function create(panel: NotebookPanel, stop: boolean): Promise<void> {
      const made = await make(panel, stop);
      const size = sizeWords(made.size_bytes);
      const added = sizeWords(made.new_bytes);
      const words = stop
        ? trans.__(
            'The kernel sleeps in a process image of %1 (%2 of it new).',
            size,
            added
          )
        : trans.__('Process image of %1 made (%2 of it new).', size, added);
      tell(
        'success',
        words,
        {
          autoClose: stop ? false : 5000,
          actions: stop
            ? [
                {
                  label: trans.__('Wake'),
                  displayType: 'accent',
                  // Whichever notebook is in front by then.
                  callback: () => void told(notRestored, () => restore(panel))
                }
              ]
            : []
        },
        trans
      );
    }

    /** The images of a notebook; where there is none, that is told. */
    async function listed(panel: NotebookPanel): Promise<ProcessImage[]> {
      const { images, problem } = await client.images(pathOf(panel));
      if (!images.length) {
        const none = trans.__('There is no process image of this notebook.');
        const why = problem ? ` ${noneWords(problem, trans)}` : '';
        tell('info', none + why, { autoClose: 10000 }, trans);
      }
      return images;
    }

    /** The image that the user chooses; `null` where there is none, or nothing was chosen. */
    async function choose(panel: NotebookPanel): Promise<ProcessImage | null> {
      const images = await listed(panel);
      if (!images.length) {
        return null;
      }
      const words = trans.__(
        'The kernel becomes what it was then. What it is now is kept in an image, too.'
      );
      const answer = await showDialog({
        title: trans.__('Restore a process image'),
        body: new ImageChoice(nameImages(images), words),
        buttons: [
          Dialog.cancelButton(),
          Dialog.okButton({ label: trans.__('Restore') })
        ]
      });
      return answer.button.accept ? answer.value : null;
    }

    async function restore(panel: NotebookPanel): Promise<void> {
      const image = await choose(panel);
      if (!image) {
        return;
      }
      await client.restoreImage(image.kernel, image.id);
      const kernel = panel.sessionContext?.session?.kernel;
      if (panel.isDisposed) {
        // It is there when the notebook is opened again.
      } else if (kernel?.id === image.kernel) {
        // Its state may be another one; an answer tells the page.
        void kernel.requestKernelInfo().catch(() => undefined);
      } else {
        await panel.sessionContext.changeKernel({ id: image.kernel });
      }
      const when = momentWords(image.time_ns / 1e6);
      tell(
        'success',
        trans.__('The kernel is as it was at %1.', when),
        { autoClose: 5000 },
        trans
      );
    }

    async function clear(panel: NotebookPanel): Promise<void> {
      const images = await listed(panel);
      if (!images.length) {
        return;
      }
      const answer = await showDialog({
        title: trans.__('Delete the process images of this notebook?'),
        body: trans.__(
          'Images: %1. Those with a name stay, and what a sleeping kernel needs.',
          String(images.length)
        ),
        buttons: [
          Dialog.cancelButton(),
          Dialog.warnButton({ label: trans.__('Delete') })
        ]
      });
      if (!answer.button.accept) {
        return;
      }
      let deleted = 0;
      let kept = 0;
      for (const kernel of new Set(images.map(each => each.kernel))) {
        const done = await client.clearImages(kernel);
        deleted += done.deleted.length;
        kept += done.kept.length;
      }
      tell(
        'success',
        trans.__(
          'Process images deleted: %1. Kept: %2.',
          String(deleted),
          String(kept)
        ),
        { autoClose: 5000 },
        trans
      );
    }

    command(
      CREATE,
      trans.__('Create Process Image'),
      trans.__('Keep the whole process of the kernel as it is now'),
      trans.__('No process image was made.'),
      panel => create(panel, false)
    );
    command(
      SLEEP,
      trans.__('Create Process Image and Sleep'),
      trans.__('The kernel gives its memory back until it is restored'),
      trans.__('The kernel was not put to sleep.'),
      panel => create(panel, true)
    );
    command(
      RESTORE,
      trans.__('Restore Process Image…'),
      trans.__('Bring the whole process of the kernel back'),
      notRestored,
      restore
    );
    command(
      CLEAR,
      trans.__('Delete Process Images…'),
      trans.__('Delete those that have no name'),
      trans.__('The process images were not deleted.'),
      clear
    );
  }
};

export default plugin;
