import { SharedKeyUses } from "../../src/cluster/sharing/key-uses.ts";
import { Tells } from "../../src/cluster/tells.ts";
import { KeyCharges } from "../../src/limits/charges.ts";
import { systemClock } from "../../src/system/clock.ts";
import { MemoryUsage } from "../../src/usage/memory-usage.ts";
import { UsageMeter } from "../../src/usage/usage-meter.ts";
import { MemoryLinks } from "../../tests/support/memory-links.ts";
import type { Children } from "../children.ts";
import type { PartResult } from "../report.ts";

const SERVERS = 3;
const KEYS = 1000;
/** Requests of each key in a second, over all servers. */
const RATE = 3;
const TURN_MS = 10;
const LIMITS = { parallel: 8, requestsPerMinute: 1000, tokensPerMinute: 10_000_000, tokensPerDay: 1_000_000_000 };
/** The most CPU that sharing may cost each server. */
const MOST_PERCENT = 5;

interface Cost {
  /** Per cent of one core, of each server. */
  readonly cpu: number;
  /** Of each server to each peer, in a second. */
  readonly messages: number;
  readonly kib: number;
}

/** Measures what it costs servers to keep the limits of many busy keys together. */
export async function measureKeyLimits(_children: Children, isQuick: boolean): Promise<PartResult> {
  const watchMs = isQuick ? 5000 : 20_000;
  await measure(true, 2000);
  const alone = await measure(false, watchMs);
  const together = await measure(true, watchMs);
  const beyond = together.cpu - alone.cpu;
  return {
    goals: [
      {
        what: `limits of ${KEYS} busy keys over ${SERVERS} servers: CPU of each server beyond that of limits of its own`,
        measured: `${beyond.toFixed(2)} % of one core`,
        wanted: `at most ${MOST_PERCENT} %`,
        isMet: beyond <= MOST_PERCENT,
      },
    ],
    report: {
      title: "Cluster: limits of keys",
      method:
        `${SERVERS} servers in one process, with links in memory, let in ${RATE} requests a second of each of ${KEYS} keys with limits for jobs at once, requests and tokens per minute and tokens per day. ` +
        `A request lasts 200 ms. CPU is read over ${watchMs / 1000} s, and includes the load itself. Without sharing, each server keeps the limits alone.`,
      tables: [
        {
          head: [
            "",
            "CPU of each server, % of one core",
            "messages a second to each peer",
            "KiB a second to each peer",
          ],
          rows: [
            ["each server alone", alone.cpu.toFixed(2), "0", "0"],
            ["together", together.cpu.toFixed(2), together.messages.toFixed(1), together.kib.toFixed(0)],
          ],
        },
      ],
    },
  };
}

async function measure(isShared: boolean, watchMs: number): Promise<Cost> {
  const links = new MemoryLinks(systemClock, 1);
  const sent = { texts: 0, chars: 0 };
  const servers = Array.from({ length: SERVERS }, (_, at) => {
    const line = links.join(`s${at}`);
    const tell = line.tell.bind(line);
    line.tell = (peer, text) => {
      sent.texts += 1;
      sent.chars += text.length;
      return tell(peer, text);
    };
    const uses = new SharedKeyUses(systemClock, new Tells(line), { id: line.id, epoch: "1" });
    const meter = new UsageMeter({ clock: systemClock, records: new MemoryUsage(), flushMs: 1000 });
    const charges = new KeyCharges({
      clock: systemClock,
      elsewhere: isShared ? uses : undefined,
      usedSince: (keyId, _resource, from) => meter.usedSince(keyId, from).tokens,
    });
    for (let key = 0; key < KEYS; key += 1) charges.set(`key-${key}`, LIMITS);
    return { uses, meter, charges };
  });
  links.connectAll();
  let asked = 0;
  const stop = systemClock.every(TURN_MS, () => {
    for (let each = 0; each < (KEYS * RATE * TURN_MS) / 1000; each += 1) {
      asked += 1;
      const server = servers[asked % SERVERS];
      if (server) ask(server, `key-${(asked * 7) % KEYS}`);
    }
  });
  await Bun.sleep(1500);
  sent.texts = 0;
  sent.chars = 0;
  const before = process.cpuUsage();
  await Bun.sleep(watchMs);
  const { user, system } = process.cpuUsage(before);
  const seconds = watchMs / 1000;
  const ways = SERVERS * (SERVERS - 1) * seconds;
  const cost = {
    cpu: (user + system) / 10_000 / seconds / SERVERS,
    messages: sent.texts / ways,
    kib: sent.chars / 1024 / ways,
  };
  stop();
  await Bun.sleep(500);
  for (const { uses, meter } of servers) {
    uses.close();
    meter.close();
  }
  return cost;
}

function ask({ charges, meter }: { readonly charges: KeyCharges; readonly meter: UsageMeter }, key: string): void {
  const charge = charges.open({ keyId: key, tenant: "default" }, () => ({ inputTokens: 100, maxOutput: 50 }));
  if (!charge || charge.admissionHold() || charge.slotHold()) return;
  charge.admit();
  charge.begin();
  systemClock.after(200, () => {
    meter.add({ key, model: "m", isFailed: false, inputTokens: 100, outputTokens: 50, waitMs: 0, heldMs: 200 });
    charge.settle({ tokens: 150, audioSeconds: 0 });
    charge.end();
  });
}
