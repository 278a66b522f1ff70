import { Signal } from '@lumino/signaling';

import { FileFollower } from '../models/filefollower';

const document = () => ({
  saveState: new Signal<unknown, string>({}),
  pathChanged: new Signal<unknown, string>({})
});

describe('FileFollower', () => {
  it('tells of saves that succeeded and of other names, of the document that it follows', () => {
    const told: string[] = [];
    const follower = new FileFollower(
      () => told.push('saved'),
      () => told.push('renamed')
    );
    const [one, other] = [document(), document()];
    follower.follow(one);
    follower.follow(one);
    one.saveState.emit('started');
    one.saveState.emit('failed');
    expect(told).toEqual([]);
    one.saveState.emit('completed');
    one.pathChanged.emit('b.ipynb');
    expect(told).toEqual(['saved', 'renamed']);
    follower.follow(other);
    one.saveState.emit('completed');
    one.pathChanged.emit('c.ipynb');
    expect(told).toHaveLength(2);
    other.saveState.emit('completed manually');
    expect(told).toHaveLength(3);
    follower.dispose();
    other.saveState.emit('completed');
    expect(told).toHaveLength(3);
  });
});
