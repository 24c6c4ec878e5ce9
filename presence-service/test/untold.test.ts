import { expect, test } from '@jest/globals';
import { runningNats, runningPostgres, START_TIMEOUT_MS, until } from '../../libs/service/test/kit.ts';
import { joined, later, listenToNews, newGateway, presenceDatabase, startReplica } from './kit.ts';

test(
  'what NATS takes with it when it dies stays untold, and is announced when it is back',
  async () => {
    const [nats, postgres] = await Promise.all([runningNats(), runningPostgres()]);
    const { pool } = await presenceDatabase(postgres);
    const [replica, news] = [await startReplica(nats, pool), await listenToNews(nats)];
    const shown = async () =>
      (await pool.query<{ status: string; untold: boolean }>('select status, untold from presence')).rows;

    // It takes what it is sent, and reads none of it.
    nats.process.kill('SIGSTOP');
    const reported = replica.report(newGateway(), 1, { begin: true, end: true, joined: [joined('s1', 'ann')] });
    await until(async () => (await shown()).length === 1);
    nats.process.kill('SIGKILL');
    await reported;
    expect(await shown()).toEqual([{ status: 'online', untold: true }]);

    await nats.process.ready();
    await until(() =>
      Promise.all([news.settled(), replica.sweep(new Date(0))]).then(
        () => true,
        () => false,
      ),
    );
    expect(news.told).toEqual([]);
    await replica.sweep(later(6));
    await news.settled();
    expect(news.told).toEqual([['ann', 'online']]);
    expect(await shown()).toEqual([{ status: 'online', untold: false }]);
  },
  START_TIMEOUT_MS,
);
