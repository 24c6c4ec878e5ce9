import { inSeconds, sign } from '../../gateway/test/token.ts';
import { answerParent } from '../child/commands.ts';
import { connectClient } from '../load/socket-io-client.ts';
import type { Target } from '../load/web-socket.ts';

// A process with a socket for each user that remembers every notification it was told, and the unread count of the
// highest version.

interface Told {
  readonly ids: Map<string, number>;
  version: number;
  unreadCount: number;
  /** What a client shows that does not look at versions. */
  last: number;
}

const told = new Map<string, Told>();

const commands = {
  async listen({ target, secret, users }: { target: Target; secret: string; users: readonly string[] }): Promise<void> {
    for (const userId of users) {
      const state: Told = { ids: new Map(), version: 0, unreadCount: 0, last: 0 };
      told.set(userId, state);
      const note = (text: string): void => {
        if (!text.startsWith('["notification:')) return;
        const [event, payload] = JSON.parse(text) as [string, { id: string; version: number; unreadCount: number }];
        if (event === 'notification:new') state.ids.set(payload.id, (state.ids.get(payload.id) ?? 0) + 1);
        state.last = payload.unreadCount;
        if (payload.version >= state.version)
          Object.assign(state, { version: payload.version, unreadCount: state.last });
      };
      await connectClient(target, sign({ sub: userId, exp: inSeconds(3_600) }, secret), { event: note });
    }
  },
  state: () =>
    [...told].map(([userId, { ids, unreadCount, last }]) => ({
      userId,
      ids: [...ids.keys()],
      repeats: [...ids.values()].reduce((sum, count) => sum + count - 1, 0),
      unreadCount,
      last,
    })),
};

export type ListenersCommands = typeof commands;
answerParent(commands);
