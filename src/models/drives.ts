import type { Contents } from '@jupyterlab/services';

/** What the server's own files are called by: nothing, or real-time collaboration's name. */
const OWN = ['', 'RTC'];

/**
 * Whether a path is that of a file on the server. What another drive calls so has no history there,
 * and a file of the server's may have the same name.
 */
export function isOnServer(
  contents: Pick<Contents.IManager, 'driveName'>,
  path: string
): boolean {
  return OWN.includes(contents.driveName(path));
}

/** The path as the server knows it; the root where it is of another drive. */
export function serverPath(
  contents: Pick<Contents.IManager, 'driveName' | 'localPath'>,
  path: string
): string {
  return isOnServer(contents, path) ? contents.localPath(path) : '';
}
