import { ContentsManager, Drive } from '@jupyterlab/services';

import { isOnServer, serverPath } from '../models/drives';

describe('a path', () => {
  it('is of the server, but for those of other drives', () => {
    const contents = new ContentsManager();
    contents.addDrive(new Drive({ name: 'Bucket' }));
    contents.addDrive(new Drive({ name: 'RTC' }));
    const paths = ['a.ipynb', 'b/a.ipynb', 'RTC:a.ipynb', 'Bucket:a.ipynb'];
    expect(paths.map(path => isOnServer(contents, path))).toEqual([
      true,
      true,
      true,
      false
    ]);
  });

  it('is told to the server without a drive, and as the root where it is of another', () => {
    const contents = new ContentsManager();
    contents.addDrive(new Drive({ name: 'Bucket' }));
    contents.addDrive(new Drive({ name: 'RTC' }));
    const paths = ['RTC:', 'RTC:b/a.ipynb', 'b', 'Bucket:b'];
    expect(paths.map(path => serverPath(contents, path))).toEqual([
      '',
      'b/a.ipynb',
      'b',
      ''
    ]);
  });
});
