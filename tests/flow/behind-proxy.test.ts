import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { shutDown } from "../../src/shutdown.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { Worker } from "../../src/worker/worker.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { freePort, type ProxyKind, type ReverseProxy, startProxy } from "../support/proxy.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startBackend, startTestWorker } from "../support/test-worker.ts";

const KINDS: readonly ProxyKind[] = ["nginx", "caddy"];

const bearer = { authorization: `Bearer ${API_KEY}` };
const FAILURES = 5;
const deps = { clock: systemClock, ids: systemIds, log: silentLog };

/** A model server whose streams the test writes, chunk by chunk. */
class Scripted {
  type = "text/event-stream";
  readonly #streams: { write(text: string): void; end(): void }[] = [];
  #left = 0;
  readonly #server = startBackend((request) => {
    request.signal.addEventListener("abort", () => {
      this.#left += 1;
    });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const writer = writable.getWriter();
    const give = (text: string): void => void writer.write(new TextEncoder().encode(text)).catch(() => {});
    this.#streams.push({ write: give, end: () => void writer.close().catch(() => {}) });
    return new Response(readable, { headers: { "content-type": this.type } });
  });

  get url(): string {
    return this.#server.url;
  }

  /** Number of streams whose client disconnected. */
  get left(): number {
    return this.#left;
  }

  get asked(): number {
    return this.#streams.length;
  }

  /** Writes the same chunk to all open streams. */
  say(content: string): void {
    for (const stream of this.#streams)
      stream.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
  }

  end(): void {
    for (const stream of this.#streams.splice(0)) {
      stream.write("data: [DONE]\n\n");
      stream.end();
    }
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

for (const kind of KINDS) {
  describe.skipIf(lacks(`requests behind ${kind}`, PROGRAMS[kind]))(`behind ${kind}, as deploy/ configures it,`, () => {
    let server: TestServer;
    let proxy: ReverseProxy;
    let backend: Scripted;
    let worker: Worker;
    let nextPort = 0;
    const stops: (() => Promise<void>)[] = [];

    beforeAll(async () => {
      nextPort = await freePort();
      server = new TestServer({
        plugins: ["llm", "transfer"],
        apiRoles: ["staff"],
        authFailuresPerMinute: FAILURES,
        pingIntervalMs: 500,
      });
      proxy = await startProxy(kind, server.listening.port, nextPort);
      backend = new Scripted();
      worker = startTestWorker({
        server: proxy.url,
        clientKeys: [CLIENT_KEY],
        backend: backend.url,
        maxConcurrency: 20,
        drainTimeoutMs: 0,
      });
      await worker.registered;
    });
    afterAll(async () => {
      for (const stop of stops) await stop();
      await worker.stop();
      await backend.stop();
      await proxy.stop();
      await server.stop();
    });

    const client = (): OpenAI => new OpenAI({ baseURL: `${proxy.url}/v1`, apiKey: API_KEY, maxRetries: 5 });
    const openStream = async () =>
      client().chat.completions.create({ model: "m", stream: true, messages: [{ role: "user", content: "?" }] });

    /** Asks for something small, again and again, until told to say which statuses that had; 0 for no answer at all. */
    function askOnAndOn(): { answers(): Promise<number[]> } {
      const statuses = new Set<number>();
      const url = proxy.url;
      let isOver = false;
      const asking = (async () => {
        while (!isOver) {
          const status = await fetch(`${url}/v1/models`, { headers: bearer }).then(
            (answer) => answer.status,
            () => 0,
          );
          statuses.add(status);
        }
      })();
      const stop = async (): Promise<void> => {
        isOver = true;
        await asking;
      };
      stops.push(stop);
      return { answers: () => stop().then(() => [...statuses]) };
    }

    async function channel(): Promise<string> {
      const answer = await fetch(`${proxy.url}/api/transfer`, { method: "POST", headers: bearer });
      const { channel_id } = (await answer.json()) as { channel_id: string }; // Held by its own test.
      return `${proxy.url}/api/transfer/${channel_id}`;
    }

    test("a stream arrives chunk by chunk, each before the next one is sent", async () => {
      const asked = backend.asked;
      const stream = openStream();
      await eventually(() => backend.asked > asked, "it is asked");
      backend.say("0");
      const seen: string[] = [];
      for await (const chunk of await stream) {
        seen.push(chunk.choices[0]?.delta.content ?? "");
        if (seen.length < 10) backend.say(String(seen.length));
        else backend.end();
      }
      expect(seen).toEqual([..."0123456789"]);
    });

    test("a plain answer is passed on as it arrives", async () => {
      const asked = backend.asked;
      backend.type = "application/json";
      const answer = fetch(`${proxy.url}/v1/chat/completions`, {
        method: "POST",
        headers: { ...bearer, "content-type": "application/json" },
        body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "?" }] }),
      });
      await eventually(() => backend.asked > asked, "it is asked");
      backend.say("half");
      const reader = ((await answer).body ?? expect.unreachable()).getReader();
      expect(Buffer.from((await reader.read()).value ?? []).toString()).toContain("half");
      backend.end();
      await reader.read();
      backend.type = "text/event-stream";
    });

    test("a client that disconnects stops the model", async () => {
      const asked = backend.asked;
      const before = backend.left;
      const stream = openStream();
      await eventually(() => backend.asked > asked, "it is asked");
      backend.say("0");
      for await (const _ of await stream) break;
      await eventually(() => backend.left > before, "the backend is told");
      backend.end();
    });

    test("a worker's socket stays open, because pings pass", async () => {
      const before = (await server.state()).workers[0];
      // Five pings; a worker that missed three is gone. Real time, since the proxy has timers of its own.
      await Bun.sleep(2500);
      const after = (await server.state()).workers;
      expect(after).toHaveLength(1);
      expect(before?.["connected_at"]).toBeString();
      expect(after[0]?.["connected_at"]).toBe(before?.["connected_at"]);
    });

    test.each(["of unknown length", "of a length that is said"])(
      "a large transfer %s is passed on as it arrives",
      async (how) => {
        const url = await channel();
        const reader = fetch(url, { headers: bearer });
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        const pieces = 40;
        const piece = new Uint8Array(256 * 1024).fill(7);
        const small = 11;
        const length = small + pieces * piece.length;
        const sent = fetch(url, {
          method: "POST",
          headers: { ...bearer, ...(how === "of unknown length" ? {} : { "content-length": String(length) }) },
          body: readable,
        });
        const first = writer.write(new TextEncoder().encode("only a word"));
        const body = ((await reader).body ?? expect.unreachable()).getReader();
        await first;
        let got = (await body.read()).value?.length ?? 0;
        // Nothing else is sent until this has arrived at the other end.
        expect(got).toBe(small);
        const rest = (async () => {
          for (let each = 0; each < pieces; each += 1) await writer.write(piece);
          await writer.close();
        })();
        for (;;) {
          const { done, value } = await body.read();
          if (done) break;
          got += value.length;
        }
        await rest;
        expect((await sent).status).toBe(200);
        expect(got).toBe(length);
      },
    );

    test("a role that a client claims for itself is dropped", async () => {
      const staff = { "x-user-roles": "staff" };
      expect((await fetch(`${server.url}/v1/models`, { headers: staff })).status).toBe(200);
      expect((await fetch(`${proxy.url}/v1/models`, { headers: staff })).status).toBe(401);
    });

    test("a rolling restart lets streams on the old server finish, refuses no connection, and lets a new stream wait for its worker", async () => {
      const asked = backend.asked;
      const texts = Array.from({ length: 5 }, async () => {
        let text = "";
        for await (const chunk of await openStream()) text += chunk.choices[0]?.delta.content ?? "";
        return text;
      });
      await eventually(() => backend.asked === asked + 5, "five streams run");
      backend.say("be");
      const passerBy = askOnAndOn();

      const next = new TestServer({
        port: nextPort,
        plugins: ["llm", "transfer"],
        authFailuresPerMinute: FAILURES,
        startGraceMs: 15_000,
      });
      await proxy.lead(nextPort);
      const stopped = shutDown(server.app, server.listening, server.config, deps);
      backend.say("fo");
      await eventually(async () => (await fetch(`${proxy.url}/healthz`)).ok, "the proxy has turned to the new server");
      // The worker is not back yet, so the new server lets the stream wait.
      const between = openStream();
      backend.say("re");
      backend.end();
      expect(await Promise.all(texts)).toEqual(Array<string>(5).fill("before"));
      await stopped;

      // The drained worker reconnects after 2 to 4 s, to the new server.
      await eventually(async () => (await next.state()).workers.length === 1, "the worker is back", 15_000);
      expect(await passerBy.answers()).toEqual([200]);
      await eventually(() => backend.asked > 0, "it is asked", 15_000);
      backend.say("after");
      backend.end();
      let text = "";
      for await (const chunk of await between) text += chunk.choices[0]?.delta.content ?? "";
      expect(text).toBe("after");
      server = next;
    }, 40_000);

    test("a made-up client address does not evade the limit on wrong keys", async () => {
      const statuses = [];
      for (let each = 0; each <= FAILURES; each += 1) {
        const address = `203.0.113.${each}`;
        const headers = { authorization: "Bearer wrong", "fly-client-ip": address, "x-forwarded-for": address };
        statuses.push((await fetch(`${proxy.url}/v1/models`, { headers })).status);
      }
      expect(statuses.at(-1)).toBe(429);
    });
  });
}
