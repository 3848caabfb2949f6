import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { parseGossip } from "../../../src/cluster/gossip/gossip.ts";
import { VERSION } from "../../../src/system/version.ts";
import {
  CLUSTER_FIXTURES,
  type ClusterFixture,
  framesIn,
  linkFrameOf,
  readableLinkFrame,
} from "../../support/cluster-fixture.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { LinkRecorder } from "../../support/link-recorder.ts";
import { NatsListener } from "../../support/nats-listener.ts";
import { freePort } from "../../support/proxy.ts";

// Records what two servers of this version say to each other, for `recorded.test.ts` of this version and of all later ones:
// `bun tests/flow/cluster/record.ts`, then `bun run format`. Record it again when it has changed, and keep the files of versions
// that were released.

const port = await freePort();
const line = new LinkRecorder(`http://127.0.0.1:${port}`);
let heard: NatsListener | undefined;
const cluster = await ClusterProcesses.start({
  servers: 2,
  // The smallest window, so that a request need not be large to travel in pieces.
  env: { WINDOW_BYTES: "16KiB" },
  prepare: async (nats) => {
    heard = await NatsListener.connect(nats.port);
  },
  // The server of the smaller id dials, so the line is in front of the other one.
  envOf: (at) =>
    at === 1
      ? { CLUSTER_LISTEN: `127.0.0.1:${port}`, CLUSTER_ADDRESS: new URL(line.url).host }
      : { CLUSTER_LISTEN: "127.0.0.1:0" },
});
const [entry, owner] = [cluster.server(0), cluster.server(1)];
const worker = await cluster.scriptedWorker(1, { worker_id: "recorded", models: ["m"], max_concurrency: 1 });
await cluster.served("m");

const small = entry.chat("m");
const first = await worker.request();
worker.answerJson(first.id, { choices: [] });
await (await small).text();

const streamed = entry.chat("m", { stream: true, user: "ann" });
const second = await worker.request();
worker.head(second.id, 200, undefined, "data: 0\n\n");
worker.data(second.id, "data: [DONE]\n\n", true);
await (await streamed).text();

const large = entry.chat("m", { more: "x".repeat(66_000) });
const third = await worker.request();
for (let end = third.end; !end; ) {
  const frame = await worker.frames.take("more of the request");
  if (frame.type !== "request_data") continue;
  end = frame.end;
  worker.credit(third.id, frame.body.length);
}
worker.answerJson(third.id, { choices: [] });
await (await large).text();

const leaver = new AbortController();
const left = entry.chat("m", {}, { signal: leaver.signal }).catch(() => {});
const fourth = await worker.request();
leaver.abort();
await left;
await worker.reset();
worker.breakOff(fourth.id, "canceled");

// A job that waits, and the slot that it is offered.
const running = owner.chat("m");
const fifth = await worker.request();
const waiting = entry.chat("m");
await Bun.sleep(1000);
worker.answerJson(fifth.id, { choices: [] });
await (await running).text();
const sixth = await worker.request();
worker.answerJson(sixth.id, { choices: [] });
await (await waiting).text();
await Bun.sleep(1000);
worker.close();
await Bun.sleep(300);
await owner.stop();

/** The keys of links are of no use after the end of their servers, and no fixture should contain keys. */
const KEY_FIELD = /"link_key":"[^"]*"/g;
const gossip = (heard?.messages ?? []).flatMap(({ subject, text }) => {
  if (!subject.endsWith(".gossip")) return [];
  const shown = text.replaceAll(KEY_FIELD, `"link_key":"${"0".repeat(43)}"`);
  return [{ text: shown, read: parseGossip(shown) }];
});
const frames = line.messages.flatMap((message) =>
  framesIn(message).flatMap((bytes): ClusterFixture["frames"] => {
    const read = readableLinkFrame(linkFrameOf(bytes));
    return [{ from: message.from === "worker" ? "dialler" : "acceptor", frame: bytes.toString("base64"), read }];
  }),
);
await mkdir(CLUSTER_FIXTURES, { recursive: true });
const path = join(CLUSTER_FIXTURES, `${VERSION}.json`);
const fixture: ClusterFixture = { version: VERSION, gossip, frames: frames.filter(hasMore()) };
await Bun.write(path, `${JSON.stringify(fixture, null, 2)}\n`);
process.stdout.write(`wrote ${path}\n`);
await cluster.stop();
await line.stop();
process.exit(0);

/** Keeps the first few frames of each kind that repeats all the time. */
function hasMore(): (each: ClusterFixture["frames"][number]) => boolean {
  const counts = new Map<string, number>();
  return ({ read }) => {
    const { type } = read as { readonly type: string }; // each frame has one
    if (type !== "ping" && type !== "pong") return true;
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    return count <= 2;
  };
}
