import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sound } from "../../support/audio-form.ts";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";

describe.skipIf(lacks("transfers in a cluster", PROGRAMS.nats))(
  "a transfer whose sides enter at different servers",
  () => {
    let cluster: ClusterProcesses;
    beforeAll(async () => {
      cluster = await ClusterProcesses.start();
    }, 60_000);
    afterAll(() => cluster.stop());

    const bytes = (count: number): Uint8Array<ArrayBuffer> => sound(count).value as Uint8Array<ArrayBuffer>; // sound() makes bytes
    const read = (server: ClusterServer, id: string): Promise<Response> => server.fetch(`/api/transfer/${id}`);
    const write = (server: ClusterServer, id: string, body: Uint8Array<ArrayBuffer>): Promise<Response> =>
      server.fetch(`/api/transfer/${id}`, { method: "POST", body });

    async function channelAt(server: ClusterServer): Promise<string> {
      const response = await server.fetch("/api/transfer", { method: "POST" });
      const { channel_id } = (await response.json()) as { channel_id: string }; // its own test checks this shape
      return channel_id;
    }

    // The places of the channel's owner, the reader and the writer.
    test.each([
      [0, 1, 2],
      [0, 0, 1],
      [0, 1, 0],
      [2, 1, 1],
    ])("passes all bytes: channel at %d, reader at %d, writer at %d", async (owner, reader, writer) => {
      const sent = bytes(3_000_000);
      for (const isReaderFirst of [true, false]) {
        const id = await channelAt(cluster.server(owner));
        const start = {
          reader: () => read(cluster.server(reader), id),
          writer: () => write(cluster.server(writer), id, sent),
        };
        const first = isReaderFirst ? start.reader() : start.writer();
        await Bun.sleep(100);
        const second = isReaderFirst ? start.writer() : start.reader();
        const [reading, writing] = isReaderFirst ? [first, second] : [second, first];
        expect(Buffer.from(await (await reading).arrayBuffer()).equals(Buffer.from(sent))).toBe(true);
        expect(await (await writing).json()).toEqual({ status: "ok", bytes: sent.length });
      }
    });

    test("is not known at any server if its channel never existed", async () => {
      const id = await channelAt(cluster.server(0));
      const other = `${id.slice(0, 4)}${"A".repeat(id.length - 4)}`;
      for (const server of cluster.servers) expect((await read(server, other)).status).toBe(404);
    });
  },
);
