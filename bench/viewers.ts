import type { Children } from "./children.ts";
import type { IdleQuestion } from "./idle-workers.ts";
import { API_KEY, CLIENT_KEY, startServer, withCpu } from "./moorage.ts";
import { median, spread } from "./numbers.ts";
import type { PartResult } from "./report.ts";
import type { ViewersAnswer, ViewersQuestion } from "./viewers-load.ts";

const WORKERS = 1000;
const VIEWERS = 100;
/** Per cent of one core. */
const MOST_PERCENT = 10;
const SETTLE_MS = 3000;

interface Sample extends ViewersAnswer {
  /** Per cent of one core. */
  readonly percent: number;
}

/** Measures what open dashboards cost while every worker changes every second. */
export async function measureViewers(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 2 : 5;
  const ms = isQuick ? 3000 : 6000;
  const server = await startServer(children);
  const workers = await children.helper("idle-workers.ts", [server.url, CLIENT_KEY]);
  const question: IdleQuestion = { sessions: WORKERS, changeEveryMs: 1000 };
  await workers.ask(question);
  const audience = await children.helper("viewers-load.ts", [server.url, API_KEY]);
  await Bun.sleep(SETTLE_MS);

  const samples = new Map<number, Sample[]>([
    [0, []],
    [VIEWERS, []],
  ]);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [viewers, of] of samples) {
      const watch: ViewersQuestion = { viewers, ms };
      const { cpu, value } = await withCpu(server.pid, () => audience.ask<ViewersAnswer>(watch));
      if (value.events < (viewers * ms) / 1000 / 2) throw new Error(`only ${value.events} events arrived`);
      if (round > 0) of.push({ ...value, percent: (cpu / (ms * 1000)) * 100 });
    }
  }
  const none = (samples.get(0) ?? []).map(({ percent }) => percent);
  const all = samples.get(VIEWERS) ?? [];
  const added = all.map(({ percent }, at) => percent - (none[at] ?? 0));
  return {
    goals: [
      {
        what: `server CPU that ${VIEWERS} viewers add, with ${WORKERS.toLocaleString("en")} workers changing every second`,
        measured: `${spread(added, 1)} % of one core`,
        wanted: `at most ${MOST_PERCENT} %`,
        isMet: median(added) <= MOST_PERCENT,
      },
    ],
    report: {
      title: "Viewers",
      method:
        `${WORKERS.toLocaleString("en")} sessions, each of which reports another number of slots every second. Another process reads streams of the state over loopback sockets, as browsers do (gzip accepted), for ${ms / 1000} s per round; ` +
        `${rounds} interleaved rounds, after one warm-up round. The row without viewers shows what the changes themselves cost.`,
      tables: [
        {
          head: ["viewers", "server CPU % of one core", "KiB per event", "MiB/s sent"],
          rows: [
            ["0", spread(none, 1), "–", "–"],
            [
              String(VIEWERS),
              spread(
                all.map(({ percent }) => percent),
                1,
              ),
              spread(
                all.map(({ bytes, events }) => bytes / events / 1024),
                1,
              ),
              spread(
                all.map(({ bytes }) => bytes / (ms / 1000) / 1024 / 1024),
                1,
              ),
            ],
          ],
        },
      ],
    },
  };
}
