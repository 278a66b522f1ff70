import { ServerConnection } from '@jupyterlab/services';

import { RewindClient, RewindError } from '../requests';

/** Settings whose server gives one answer and remembers what it was asked. */
function answering(status: number, body: string) {
  const asked: Request[] = [];
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://127.0.0.1:1/base/',
    fetch: async (request: RequestInfo | URL) => {
      asked.push(request as Request);
      return new Response(body, { status });
    }
  });
  return { asked, settings };
}

describe('RewindClient', () => {
  it('names a checkpoint through the server', async () => {
    const { asked, settings } = answering(
      201,
      '{"id": "c1", "labels": ["done"]}'
    );
    const made = await new RewindClient(settings).createCheckpoint(
      'a/b c.ipynb',
      'done'
    );
    expect(made.labels).toEqual(['done']);
    expect(asked[0].method).toBe('POST');
    expect(new URL(asked[0].url).pathname).toBe(
      '/base/rewind/api/v1/checkpoint'
    );
    expect(await asked[0].json()).toEqual({
      path: 'a/b c.ipynb',
      label: 'done'
    });
  });

  it('sends what is open, to be compared', async () => {
    const { asked, settings } = answering(200, '{"differs": false}');
    const client = new RewindClient(settings);
    const content = { cells: [] };
    await client.differenceToOpen('a.ipynb', 'c1', content);
    expect(asked[0].method).toBe('POST');
    expect(await asked[0].json()).toEqual({
      path: 'a.ipynb',
      base: 'c1',
      content
    });
  });

  it('fails in the words of the server', async () => {
    const told = {
      code: 'Full',
      message: 'The disk is full.',
      hint: 'Free space.',
      retryable: true
    };
    const { settings } = answering(507, JSON.stringify(told));
    const failure = new RewindClient(settings).createCheckpoint('a.ipynb');
    await expect(failure).rejects.toMatchObject({
      name: 'RewindError',
      status: 507,
      ...told
    });
  });

  it('says in words that no answer came', async () => {
    const { settings } = answering(200, '');
    const fetch = () => Promise.reject(new TypeError('Failed to fetch'));
    const client = new RewindClient({ ...settings, fetch }, 'Keine Antwort.');
    await expect(client.health()).rejects.toMatchObject({
      message: 'Keine Antwort.',
      status: 0
    });
  });

  it('says in words that a login page answers', async () => {
    const { settings } = answering(200, '<!DOCTYPE html><form>');
    const client = new RewindClient(settings, 'Keine.', 'Nicht von hier.');
    const failure = client.appendDraft('a', 'd', new Uint8Array([1]), false);
    await expect(failure).rejects.toMatchObject({
      name: 'RewindError',
      message: 'Nicht von hier.'
    });
  });

  it('fails with the status where a proxy answers', async () => {
    const { settings } = answering(502, '<html>Bad gateway</html>');
    const failure = new RewindClient(settings).createCheckpoint('a.ipynb');
    await expect(failure).rejects.toBeInstanceOf(RewindError);
    await expect(failure).rejects.toMatchObject({ status: 502 });
  });
});
