import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import type { components } from './api';
import type { IBase } from './models/draftbase';
import { browserName } from './models/windows';
import type {
  Checkpoint,
  Draft,
  DraftNotebook,
  Execution,
  Found,
  Health,
  History,
  IBrought,
  IDeleted,
  IDifference,
  IImages,
  IPage,
  IRecovered,
  IRestored,
  IRestoreOptions,
  IRewindClient,
  ISearched,
  IStatesDifference,
  IVariables,
  IWanted,
  Labelled,
  Moved,
  ProcessImage,
  Resumable,
  Snapshot,
  Unseen
} from './tokens';

const ROOT = 'rewind/api/v1';

const MOST_KEPT_ALIVE = 16_000;

type Failure = components['schemas']['Failure'];
type Query = Record<string, string | number | boolean | undefined>;

/** What failed, in the server's words for the user; `status` is 0 when no answer came. */
export class RewindError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly hint = '',
    readonly retryable = false
  ) {
    super(message);
    this.name = 'RewindError';
  }
}

/** The one place that asks the server. */
export class RewindClient implements IRewindClient {
  /** What is said where no answer comes, or one that is not the server's. */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly unreachable = 'The server does not answer.',
    private readonly unreadable = 'Something else answers in the place of the server. Where you are signed out, sign in again in another tab.'
  ) {}

  async createCheckpoint(path: string, label?: string): Promise<Labelled> {
    const body = label === undefined ? { path } : { path, label };
    return (await this.ask('POST', 'checkpoint', {}, body)) as Labelled;
  }

  async history(
    path: string,
    limit: number,
    before?: string
  ): Promise<History> {
    const query = { path, limit, before, newest_first: true };
    return (await this.ask('GET', 'history', query)) as History;
  }

  async executions(
    path: string,
    limit: number,
    before?: string
  ): Promise<IPage<Execution>> {
    const found = await this.ask('GET', 'executions', { path, limit, before });
    const { executions, more } = found as {
      executions: Execution[];
      more: boolean;
    };
    return { items: executions, more };
  }

  async snapshots(
    path: string,
    limit: number,
    before?: string
  ): Promise<IPage<Snapshot>> {
    const found = await this.ask('GET', 'snapshots', { path, limit, before });
    const { snapshots, more } = found as {
      snapshots: Snapshot[];
      more: boolean;
    };
    return { items: snapshots, more };
  }

  async variables(path: string, ref: string): Promise<IVariables> {
    const route = `snapshots/${encodeURIComponent(ref)}`;
    return (await this.ask('GET', route, { path })) as IVariables;
  }

  async statesDifference(
    path: string,
    before: string,
    after: string
  ): Promise<IStatesDifference> {
    const route = `snapshots/${encodeURIComponent(before)}/diff`;
    const found = await this.ask('GET', route, { path, after });
    return found as IStatesDifference;
  }

  async keepState(kernel: string): Promise<Snapshot> {
    const route = `kernels/${kernel}/snapshots`;
    const made = await this.ask('POST', route, {}, {});
    return (made as { snapshot: Snapshot }).snapshot;
  }

  async bringBack(kernel: string, wanted: IWanted): Promise<IBrought> {
    const route = `kernels/${kernel}/variables`;
    return (await this.ask('POST', route, {}, wanted)) as IBrought;
  }

  async restoreState(kernel: string, ref: string): Promise<Moved> {
    const route = `kernels/${kernel}/snapshots/${encodeURIComponent(ref)}`;
    return (await this.ask('POST', `${route}/restore`, {}, {})) as Moved;
  }

  async restore(
    path: string,
    ref: string,
    options: IRestoreOptions = {}
  ): Promise<IRestored> {
    const body = { path, ref, ...options };
    return (await this.ask('POST', 'restore', {}, body)) as IRestored;
  }

  async search(path: string, text: string, limit: number): Promise<ISearched> {
    const query = { path, text, limit };
    return (await this.ask('GET', 'search', query)) as ISearched;
  }

  async difference(
    path: string,
    base: string,
    remote: string
  ): Promise<IDifference> {
    const query = { path, base, remote, notebook: true };
    return (await this.ask('GET', 'diff', query)) as IDifference;
  }

  async differenceToOpen(
    path: string,
    base: string,
    content: unknown
  ): Promise<IDifference> {
    const body = { path, base, content };
    return (await this.ask('POST', 'diff', {}, body)) as IDifference;
  }

  async resumable(path: string, kernel?: string): Promise<Resumable> {
    const query = { path, kernel };
    return (await this.ask('GET', 'kernels/resumable', query)) as Resumable;
  }

  async resume(kernel: string): Promise<Moved> {
    return (await this.ask(
      'POST',
      'kernels/resumable',
      {},
      { kernel }
    )) as Moved;
  }

  async images(path: string): Promise<IImages> {
    return (await this.ask('GET', 'images', { path })) as IImages;
  }

  async createImage(kernel: string, stop: boolean): Promise<ProcessImage> {
    const route = `kernels/${kernel}/images`;
    const made = await this.ask('POST', route, {}, { stop });
    return (made as { image: ProcessImage }).image;
  }

  async restoreImage(kernel: string, image: string): Promise<void> {
    await this.ask('POST', `kernels/${kernel}/images/${image}/restore`, {}, {});
  }

  async clearImages(
    kernel: string
  ): Promise<{ deleted: ProcessImage[]; kept: ProcessImage[] }> {
    const done = await this.ask('DELETE', `kernels/${kernel}/images`);
    return done as { deleted: ProcessImage[]; kept: ProcessImage[] };
  }

  async addLabel(path: string, ref: string, label: string): Promise<Labelled> {
    const body = { path, ref, label };
    return (await this.ask('POST', 'labels', {}, body)) as Labelled;
  }

  async removeLabel(
    path: string,
    ref: string,
    label: string
  ): Promise<Checkpoint> {
    const query = { path, ref, label };
    return (await this.ask('DELETE', 'labels', query)) as Checkpoint;
  }

  async pin(path: string, ref: string, pinned: boolean): Promise<Checkpoint> {
    return (await (pinned
      ? this.ask('POST', 'pins', {}, { path, ref })
      : this.ask('DELETE', 'pins', { path, ref }))) as Checkpoint;
  }

  async drafts(path: string): Promise<Draft[]> {
    const answer = await this.ask('GET', 'drafts', { path });
    return (answer as { drafts: Draft[] }).drafts;
  }

  async draft(path: string, draft: string): Promise<DraftNotebook> {
    return (await this.ask('GET', `drafts/${draft}`, {
      path
    })) as DraftNotebook;
  }

  async draftDifference(path: string, draft: string): Promise<IDifference> {
    return (await this.ask('GET', `drafts/${draft}/diff`, {
      path
    })) as IDifference;
  }

  async beginDraft(
    path: string,
    draft: string,
    base: IBase | null,
    content: unknown,
    update: Uint8Array
  ): Promise<void> {
    const told = content ? { content } : { base };
    const body = {
      path,
      draft,
      browser: browserName(),
      update: toBase64(update),
      ...told
    };
    await this.ask('POST', 'drafts', {}, body);
  }

  async appendDraft(
    path: string,
    draft: string,
    update: Uint8Array,
    whole: boolean
  ): Promise<void> {
    const body = { path, update: toBase64(update), ...(whole && { whole }) };
    await this.ask('POST', `drafts/${draft}`, {}, body);
  }

  async endDraft(path: string, draft: string, how: string): Promise<void> {
    await this.ask('POST', `drafts/${draft}`, {}, { path, ended: how });
  }

  async discardDraft(path: string, draft: string): Promise<void> {
    await this.ask('DELETE', `drafts/${draft}`, { path });
  }

  async deleted(): Promise<IDeleted> {
    return (await this.ask('GET', 'deleted')) as IDeleted;
  }

  async undelete(history: string): Promise<IRestored> {
    return (await this.ask('POST', 'undelete', {}, { history })) as IRestored;
  }

  async traces(path: string): Promise<Found> {
    return (await this.ask('GET', 'recover', { path })) as Found;
  }

  async previewRecovery(path: string): Promise<IRecovered> {
    const body = { path };
    return (await this.ask('POST', 'recover/preview', {}, body)) as IRecovered;
  }

  async recover(path: string): Promise<string> {
    const answer = await this.ask('POST', 'recover', {}, { path });
    return (answer as { path: string }).path;
  }

  async outputs(path: string, since?: number): Promise<Unseen[]> {
    const answer = await this.ask('GET', 'outputs', { path, since });
    return (answer as { executions: Unseen[] }).executions;
  }

  async health(): Promise<Health> {
    return (await this.ask('GET', 'health')) as Health;
  }

  async reach(): Promise<void> {
    try {
      await this.ask('GET', 'openapi.yaml', {}, undefined, text => text);
    } catch (reason) {
      // Whoever refuses to answer is there.
      if (!(reason instanceof RewindError) || reason.status === 0) {
        throw reason;
      }
    }
  }

  private async ask(
    method: string,
    route: string,
    query: Query = {},
    body?: unknown,
    read: (text: string) => unknown = JSON.parse
  ): Promise<unknown> {
    const pairs = Object.entries(query)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]);
    const url =
      URLExt.join(this.settings.baseUrl, ROOT, route) +
      URLExt.objectToQueryString(Object.fromEntries(pairs));
    const init: RequestInit = { method };
    if (body !== undefined) {
      const text = JSON.stringify(body);
      init.body = text;
      // The request outlives the page; browsers allow that for small ones.
      init.keepalive = text.length < MOST_KEPT_ALIVE;
    }
    let response: Response;
    let text: string;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
      text = await response.text();
    } catch {
      throw new RewindError(this.unreachable, 0, 'Unreachable', '', true);
    }
    if (!response.ok) {
      throw failure(response, text);
    }
    try {
      return text ? read(text) : undefined;
    } catch {
      // A login page, as a proxy shows it in the place of every answer.
      throw new RewindError(this.unreadable, response.status, 'Unreadable');
    }
  }
}

function failure(response: Response, text: string): RewindError {
  try {
    const told = JSON.parse(text) as Partial<Failure>;
    if (typeof told.message === 'string' && told.message) {
      const { message, code = '', hint = '', retryable = false } = told;
      return new RewindError(message, response.status, code, hint, retryable);
    }
  } catch {
    // A proxy or a login page answered, not Jupyter Rewind.
  }
  return new RewindError(
    `${response.status} ${response.statusText}`,
    response.status,
    ''
  );
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 0x8000) {
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 0x8000)));
  }
  return btoa(parts.join(''));
}
