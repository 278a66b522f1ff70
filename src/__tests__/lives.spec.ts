import type { ISessionContext } from '@jupyterlab/apputils';
import { Signal } from '@lumino/signaling';

import { KernelLives } from '../models/lives';

/** A session that goes through the given statuses; what was told of losses meanwhile. */
function lossesIn(...statuses: string[]): string[] {
  const session = {} as ISessionContext;
  const statusChanged = new Signal<ISessionContext, string>(session);
  const connectionStatusChanged = new Signal<ISessionContext, string>(session);
  Object.assign(session, { statusChanged, connectionStatusChanged });
  const lives = new KernelLives(session);
  const told: string[] = [];
  lives.emptied.connect((_, loss) => told.push(loss));
  statuses.forEach(status => statusChanged.emit(status));
  return told;
}

describe('KernelLives', () => {
  it('says nothing of a kernel that starts and works', () => {
    expect(lossesIn('starting', 'idle', 'busy', 'idle')).toEqual([]);
  });

  it('tells a death at once where the server starts the kernel again', () => {
    expect(
      lossesIn('busy', 'autorestarting', 'unknown', 'starting', 'idle')
    ).toEqual(['died']);
  });

  it('tells a death once there is a kernel again', () => {
    expect(lossesIn('busy', 'dead')).toEqual([]);
    expect(lossesIn('busy', 'dead', 'restarting', 'idle', 'idle')).toEqual([
      'died'
    ]);
  });

  it('tells a restart that was wanted as such', () => {
    expect(lossesIn('idle', 'restarting', 'starting', 'idle')).toEqual([
      'restarted'
    ]);
  });

  it('tells each death', () => {
    expect(
      lossesIn('autorestarting', 'idle', 'autorestarting', 'idle')
    ).toEqual(['died', 'died']);
  });

  it('tells when a kernel is heard, and when it is heard again', () => {
    const session = {} as ISessionContext;
    const statusChanged = new Signal<ISessionContext, string>(session);
    const connectionStatusChanged = new Signal<ISessionContext, string>(
      session
    );
    Object.assign(session, { statusChanged, connectionStatusChanged });
    const lives = new KernelLives(session);
    let heard = 0;
    lives.heard.connect(() => (heard += 1));
    ['connecting', 'connected', 'connecting', 'disconnected'].forEach(status =>
      connectionStatusChanged.emit(status)
    );
    expect(heard).toBe(1);
    connectionStatusChanged.emit('connected');
    expect(heard).toBe(2);
  });
});
