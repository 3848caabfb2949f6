import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BOUNDARY, FORM_TYPE } from "../../support/audio-form.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";

const MIB = 2 ** 20;
const UPLOAD_BYTES = 1024 * MIB;
/** Above it a server would hold a large part of the upload: a window has 256 KiB, and the heap grows by itself for a while. */
const MOST_GROWTH = 128 * MIB;

/** A transcriber that reads an upload, keeps nothing of it, and answers with the number of bytes. */
function startTranscriber() {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    async fetch(request) {
      if (request.method === "GET") return Response.json({ data: [{ id: "ears" }] });
      let bytes = 0;
      for await (const piece of request.body ?? []) bytes += piece.length;
      return Response.json({ text: String(bytes) });
    },
  });
  return { url: `http://127.0.0.1:${server.port}/v1`, stop: () => server.stop(true) };
}

/** A form with the model and then a file of this many bytes, which exists nowhere as a whole. */
function formOf(bytes: number): { readonly body: ReadableStream<Uint8Array>; readonly length: number } {
  const field = (name: string, more = ""): string =>
    `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`;
  const head = Buffer.from(`${field("model")}ears\r\n${field("file", '; filename="speech.wav"')}`);
  const tail = Buffer.from(`\r\n--${BOUNDARY}--\r\n`);
  const piece = new Uint8Array(MIB).fill(7);
  let sent = -1;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent < 0) controller.enqueue(head);
      else if (sent < bytes) controller.enqueue(piece);
      else {
        controller.enqueue(tail);
        return controller.close();
      }
      sent = sent < 0 ? 0 : sent + piece.length;
    },
  });
  return { body, length: head.length + bytes + tail.length };
}

/** The resident memory of a server in bytes. */
function memoryOf(server: ClusterServer): number {
  const { stdout } = Bun.spawnSync(["ps", "-o", "rss=", "-p", String(server.run.pid)]);
  return Number(stdout.toString()) * 1024;
}

describe.skipIf(lacks("uploads in a cluster", PROGRAMS.nats))("an audio upload over two servers", () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    // Without a spool, so that only what passes through is in memory.
    cluster = await ClusterProcesses.start({ servers: 2, env: { SPOOL_BYTES: "0" } });
    const transcriber = cluster.use(startTranscriber());
    await cluster.worker(1, { kinds: ["asr"], backend: transcriber.url });
    await cluster.served("ears");
  }, 60_000);
  afterAll(() => cluster.stop());

  test("arrives whole, and neither server holds it", async () => {
    const before = cluster.servers.map(memoryOf);
    const highest = [...before];
    const look = setInterval(() => {
      for (const [at, server] of cluster.servers.entries()) highest[at] = Math.max(highest[at] ?? 0, memoryOf(server));
    }, 100);
    const { body, length } = formOf(UPLOAD_BYTES);
    const response = await cluster.server(0).fetch("/v1/audio/transcriptions", {
      method: "POST",
      body,
      headers: { "content-type": FORM_TYPE, "content-length": String(length) },
    });
    clearInterval(look);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ text: String(length) });
    for (const [at, bytes] of highest.entries()) expect(bytes - (before[at] ?? 0)).toBeLessThan(MOST_GROWTH);
  }, 120_000);
});
