import type { ISessionContext } from '@jupyterlab/apputils';
import type { KernelMessage } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';

import { RanFollower } from '../models/ranfollower';

/** A notebook's session that says what it is made to say. */
class Session {
  readonly iopubMessage = new Signal<ISessionContext, KernelMessage.IMessage>(
    this as unknown as ISessionContext
  );

  say(status: string, about = 'execute_request', kind = 'status'): void {
    this.iopubMessage.emit({
      header: { msg_type: kind },
      parent_header: { msg_type: about },
      content: { execution_state: status }
    } as unknown as KernelMessage.IMessage);
  }
}

describe('RanFollower', () => {
  let told: boolean[];
  let follower: RanFollower;

  beforeEach(() => {
    jest.useFakeTimers();
    told = [];
    follower = new RanFollower(whole => told.push(whole));
  });

  afterEach(() => {
    follower.dispose();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number) =>
    jest.advanceTimersByTimeAsync(milliseconds);

  it('tells once of several cells, and again when a kernel had pauses', async () => {
    const session = new Session();
    follower.follow(session);
    for (let cell = 0; cell < 3; cell++) {
      session.say('busy');
      session.say('idle');
    }
    await pass(1000);
    expect(told).toEqual([false]);
    await pass(5000);
    expect(told).toEqual([false, false]);
    await pass(10_000);
    expect(told.length).toBe(3);
    await pass(60_000);
    expect(told.length).toBe(4);
    await pass(600_000);
    expect(told.length).toBe(4);
  });

  it('hears nothing but cells', async () => {
    const session = new Session();
    follower.follow(session);
    session.say('idle', 'complete_request');
    session.say('idle', 'execute_request', 'stream');
    await pass(10_000);
    expect(told).toEqual([]);
  });

  it('follows one notebook at a time', async () => {
    const [one, other] = [new Session(), new Session()];
    follower.follow(one);
    follower.follow(other);
    one.say('idle');
    await pass(10_000);
    expect(told).toEqual([]);
    follower.follow(null);
    other.say('idle');
    await pass(10_000);
    expect(told).toEqual([]);
  });

  it('says where entries may have gone', async () => {
    follower.note(true);
    follower.note(false);
    await pass(1000);
    expect(told).toEqual([true]);
  });
});
