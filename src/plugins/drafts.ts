import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette, Notification } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { PageConfig } from '@jupyterlab/coreutils';
import type { INotebookContent } from '@jupyterlab/nbformat';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

// eslint-disable-next-line jupyter/prefer-lazy-imports -- it follows each notebook from the start
import { DraftKeeper } from '../models/draftkeeper';
import { saysAll } from '../models/draftrestore';
import { placeOf, putBack } from '../models/draftreturn';
import type { DraftSession } from '../models/draftsession';
import { DraftShelf } from '../models/draftshelf';
import { Offers } from '../models/offers';
import {
  Windows,
  isForeign,
  knowBrowser,
  nextIn,
  offeredIn,
  passOver
} from '../models/windows';
import { type Draft, IAway, IDrafts, IRewindClient } from '../tokens';
import {
  backWords,
  tellBack,
  tellNothing,
  tellNotUndone,
  tellNowhere,
  tellOffer,
  tellRefused,
  tellUnreadable
} from '../widgets/draftnotices';
import { showDraft } from '../widgets/draftshown';
import { tellBegun, tellFailure } from '../widgets/telling';
import { whyOf } from '../widgets/why';

const SHOW = 'jupyter-rewind:show-drafts';

const plugin: JupyterFrontEndPlugin<IDrafts> = {
  id: 'jupyter-rewind:drafts',
  description: 'Keeps every edit before it is saved, and offers what was left.',
  autoStart: true,
  provides: IDrafts,
  requires: [
    IRewindClient,
    INotebookTracker,
    IRenderMimeRegistry,
    IEditorServices
  ],
  optional: [ITranslator, ICommandPalette, ILabShell, IAway],
  activate: (
    app: JupyterFrontEnd,
    client: IRewindClient,
    notebooks: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    editors: IEditorServices,
    translation: ITranslator | null,
    palette: ICommandPalette | null,
    labShell: ILabShell | null,
    away: IAway | null
  ): IDrafts => {
    const translator = translation ?? nullTranslator;
    const trans = translator.load('jupyter_rewind');
    const { contents, serverSettings } = app.serviceManager;
    const root = PageConfig.getOption('rewindRoot');
    const keeper = new DraftKeeper(
      client,
      new DraftShelf(root),
      new Windows(),
      serverSettings.baseUrl,
      root
    );
    const sessions = new WeakMap<NotebookPanel['context'], DraftSession>();
    const offers = new Offers<NotebookPanel>(async (panel, { draft }) => {
      const path = contents.localPath(panel.context.path);
      const { notebook } = await client.draft(path, draft);
      const { cells } = notebook as unknown as INotebookContent;
      return new Set(cells.map(({ id }) => String(id)));
    });
    away?.waitFor((panel, executions) => offers.settle(panel, executions));
    const nameOf = (path: string) => path.split('/').pop() ?? path;
    const why = (reason: unknown) => whyOf(reason, trans);

    /** What earlier pages left in this browser is on the server, or told of. */
    const carriedOver = knowBrowser()
      .catch(() => undefined)
      .then(() => keeper.carryOver())
      .then(refused =>
        refused.forEach(each => tellRefused(each, keeper, trans))
      )
      // A browser that keeps nothing has nothing to hand over; sessions tell when it matters.
      .catch(() => undefined);

    /** The panel holds the draft's edits; nothing is saved by that. */
    async function restore(
      panel: NotebookPanel,
      draft: Draft,
      older: Draft[]
    ): Promise<void> {
      const path = contents.localPath(panel.context.path);
      const begun = await tellBegun(
        trans.__('The edits are being brought back into %1…', nameOf(path))
      );
      try {
        const done = await putBack(client, draft, placeOf(panel, path));
        if (!done) {
          Notification.dismiss(begun);
          return;
        }
        offers.answer(panel);
        // Once this page has handed them over itself, the old draft need not be offered again. It
        // goes when they are saved: until then, Undo may want it.
        await sessions.get(panel.context)?.flush();
        const isHanded = keeper.placeOf(panel.context.path) === 'server';
        const takeBack =
          isHanded && !done.isDamaged && (await letGo(panel, draft));
        const undo = () => {
          if (panel.isDisposed) {
            return;
          }
          if (!done.takeOut()) {
            tellNotUndone(nameOf(path), trans);
          } else if (takeBack ? takeBack() : true) {
            offer(panel, draft, older);
          } // Else a save holds the edits, and the history has it.
        };
        tellBack(
          backWords(nameOf(path), draft, done, trans),
          undo,
          trans,
          begun
        );
      } catch (reason) {
        Notification.dismiss(begun);
        tellFailure(
          trans.__(
            'The edits were not brought back, and are still kept. %1',
            why(reason)
          ),
          trans
        );
      }
    }

    /** The draft, which is in the notebook now, is not offered again; what takes that back. */
    async function letGo(
      { context }: NotebookPanel,
      kept: Draft
    ): Promise<(() => boolean) | null> {
      const { draft } = kept;
      if (isForeign(kept)) {
        passOver(draft);
        return () => true;
      }
      return keeper.letGo(context, draft);
    }

    async function compare(
      panel: NotebookPanel,
      draft: Draft,
      older: Draft[]
    ): Promise<void> {
      const path = contents.localPath(panel.context.path);
      try {
        const drawing = { rendermime, editors, translator };
        await showDraft(client, draft, path, drawing, labShell && app.shell);
      } catch (reason) {
        tellFailure(
          trans.__('Nothing could be compared. %1', why(reason)),
          trans
        );
      }
      // The choice is still open.
      offer(panel, draft, older);
    }

    async function discard(
      panel: NotebookPanel,
      draft: Draft,
      older: Draft[]
    ): Promise<void> {
      const path = contents.localPath(panel.context.path);
      try {
        if (isForeign(draft)) {
          passOver(draft.draft);
        } else {
          await client.discardDraft(path, draft.draft);
        }
      } catch (reason) {
        tellFailure(
          trans.__('The edits are still kept. %1', why(reason)),
          trans
        );
        return;
      }
      if (older.length) {
        offer(panel, older[0], older.slice(1));
      } else if (!(await offerNext(panel))) {
        offers.answer(panel);
      }
    }

    /** What the offer is called that stands for a notebook; a later one takes its place. */
    const standing = new WeakMap<NotebookPanel, string>();

    /** Asks what to do with edits that were left behind; `older` ones can be asked for. */
    function offer(
      panel: NotebookPanel,
      draft: Draft,
      older: Draft[] = []
    ): void {
      const path = contents.localPath(panel.context.path);
      Notification.dismiss(standing.get(panel) ?? '');
      const id = tellOffer(nameOf(path), draft, older.length, trans, {
        restore: () => void restore(panel, draft, older),
        compare: () => void compare(panel, draft, older),
        discard: () => void discard(panel, draft, older),
        showOlder: () => offer(panel, older[0], older.slice(1))
      });
      standing.set(panel, id);
      panel.disposed.connect(() => Notification.dismiss(id));
    }

    /** Drafts that cannot be read, and of which that was said. */
    const unreadable = new Set<string>();

    /** Offers the newest edits that were left behind; whether there are any. */
    async function offerNext(
      panel: NotebookPanel,
      all = false
    ): Promise<boolean> {
      const path = contents.localPath(panel.context.path);
      const left = await keeper.leftBehind(path);
      const at = Date.now();
      // Whoever closed a notebook without saving need not be asked again.
      const wanted = left.filter(
        each => all || (!each.ended && !offeredIn(each, at))
      );
      // What cannot be read costs itself alone.
      const broken = wanted.filter(each => each.problem);
      for (const each of broken) {
        if (all || !unreadable.has(each.draft)) {
          unreadable.add(each.draft);
          tellUnreadable(each, trans);
        }
      }
      const [draft, ...older] = wanted.filter(each => !each.problem);
      const later = nextIn(left, at);
      if (!draft && later) {
        const look = () =>
          panel.isDisposed || void offerNext(panel).catch(() => undefined);
        setTimeout(look, later + 100);
      }
      if (!draft || panel.isDisposed) {
        return draft !== undefined || broken.length > 0;
      }
      if (!all && (await isHere(panel, draft))) {
        return offerNext(panel);
      }
      offers.offer(panel, draft);
      offer(panel, draft, older);
      return true;
    }

    /** Whether a draft held nothing but outputs that came to the notebook another way; it goes. */
    async function isHere(
      panel: NotebookPanel,
      draft: Draft
    ): Promise<boolean> {
      const { context } = panel;
      if (isForeign(draft) || !(await away?.brought(panel))) {
        return false;
      }
      const path = contents.localPath(context.path);
      const { notebook, lost } = await client.draft(path, draft.draft);
      // Only once this page has handed them over itself, as with a restore.
      await sessions.get(context)?.flush();
      if (
        lost ||
        !panel.model ||
        keeper.placeOf(context.path) !== 'server' ||
        !saysAll(
          panel.model.toJSON() as INotebookContent,
          notebook as unknown as INotebookContent
        )
      ) {
        return false;
      }
      await client.discardDraft(path, draft.draft);
      return true;
    }

    notebooks.widgetAdded.connect((_, panel) => {
      offers.open(panel);
      void panel.context.ready.then(async () => {
        const { context } = panel;
        if (panel.isDisposed || contents.driveName(context.path)) {
          offers.offer(panel, null);
          return;
        }
        // A second view of the same document is the same document.
        if (!sessions.has(context)) {
          const session = keeper.follow(context);
          sessions.set(context, session);
          context.disposed.connect(() => keeper.unfollow(session));
        }
        await carriedOver;
        // Without an answer there is nothing to offer; the command asks again and says why.
        await offerNext(panel).catch(() => undefined);
        // Whatever is offered later is about something else.
        offers.offer(panel, null);
      });
    });

    /** What says that edits are in a page only, by path, until they are not any more. */
    const nowhere = new Map<string, string>();
    keeper.failed.connect((_, { path, reason }) => {
      Notification.dismiss(nowhere.get(path) ?? '');
      nowhere.delete(path);
      const panel = notebooks.find(each => each.context.path === path);
      if (reason && panel) {
        nowhere.set(path, tellNowhere(panel.context, reason, trans));
      }
    });

    keeper.left.connect((_, { path, draft }) => {
      const panel = notebooks.find(each => each.context.path === path);
      if (panel) {
        void client
          .drafts(contents.localPath(path))
          .then(all => all.find(each => each.draft === draft))
          .then(found => {
            if (found?.problem) {
              tellUnreadable(found, trans);
            } else if (found) {
              offer(panel, found);
            }
          })
          // It is offered when the notebook is opened again.
          .catch(() => undefined);
      }
    });

    const flush = () => keeper.flush();
    window.addEventListener('online', flush);
    window.addEventListener('pagehide', flush);
    document.addEventListener('visibilitychange', flush);

    app.commands.addCommand(SHOW, {
      label: trans.__('Show Unsaved Edits That Were Kept'),
      caption: trans.__('Edits of this notebook that nobody saved'),
      describedBy: { args: { type: 'object', properties: {} } },
      isEnabled: () => notebooks.currentWidget !== null,
      execute: async () => {
        const panel = notebooks.currentWidget;
        if (!panel) {
          return;
        }
        try {
          const carried = keeper.carryOver();
          await carried.catch(() => undefined);
          const isOffered = await offerNext(panel, true);
          const path = contents.localPath(panel.context.path);
          const refused = (await carried).filter(
            each => each.shelved.path === path
          );
          refused.forEach(each => tellRefused(each, keeper, trans));
          if (!isOffered && !refused.length) {
            tellNothing(trans);
          }
        } catch (reason) {
          tellFailure(
            trans.__('The kept edits could not be listed. %1', why(reason)),
            trans
          );
        }
      }
    });
    palette?.addItem({
      command: SHOW,
      category: trans.__('File Operations')
    });
    return keeper;
  }
};

export default plugin;
