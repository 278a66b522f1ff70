import { ContentsManager, Drive } from '@jupyterlab/services';

import { isOnServer } from '../models/drives';

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
});
