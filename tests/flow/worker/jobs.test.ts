import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../support/eventually.ts";
import { startBackend } from "../../support/test-worker.ts";
import { turn } from "../../support/turn.ts";
import { EVENTS, pieces, WorkerRig } from "../../support/worker-rig.ts";

const WINDOW = 256 * 1024;
let rig: WorkerRig;
beforeEach(() => {
  rig = new WorkerRig();
});
afterEach(() => rig.stop());

describe("a backend's answer", () => {
  test("that is small travels in one frame, byte for byte", async () => {
    const body = '{ "id":"x",\n "n": 12345678901234567890}';
    const link = await rig.serve(
      () => new Response(body, { status: 418, headers: { "content-type": "application/json", "x-backend": "a" } }),
    );
    const id = link.open({ path: "/chat/completions" }, "{}");
    const frame = await link.response();
    expect([frame.id, frame.end, frame.head.status]).toEqual([id, true, 418]);
    expect(Buffer.from(frame.body).toString()).toBe(body);
    expect(frame.head.headers).toContainEqual(["x-backend", "a"]);
  });

  test("without a body travels in one frame too", async () => {
    const link = await rig.serve(() => new Response(null, { status: 204 }));
    link.open({ path: "/x" });
    const frame = await link.response();
    expect([frame.head.status, frame.body.length, frame.end]).toEqual([204, 0, true]);
  });

  test("that streams arrives chunk by chunk, with its head before its first chunk", async () => {
    const answer = pieces();
    const link = await rig.serve(() => new Response(answer.stream, EVENTS));
    const id = link.open({ path: "/chat/completions" }, "{}");
    // Bun's own server holds headers back until there is a first byte.
    answer.push("data: 1\n\n");
    const head = await link.response();
    expect(head.end).toBe(false);
    const first = head.body.length > 0 ? head : await link.frame();
    expect(first).toMatchObject({ id, end: false });
    for (const text of ["data: 2\n\n", "data: 3\n\n"]) {
      answer.push(text);
      const frame = await link.frame();
      expect(frame.type === "response_data" && Buffer.from(frame.body).toString()).toBe(text);
    }
    answer.end();
    expect(await link.frame()).toMatchObject({ type: "response_data", id, end: true });
  });

  test("whose head comes before its body is forwarded at once", async () => {
    const sockets: Socket[] = [];
    const link = await rig.serveRaw((socket) => {
      sockets.push(socket);
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    });
    link.open({ path: "/chat/completions" }, "{}");
    const head = await link.response();
    expect([head.head.status, head.body.length, head.end]).toEqual([200, 0, false]);
    sockets[0]?.write("3\r\nabc\r\n0\r\n\r\n");
    const data = await link.frame();
    expect(data.type === "response_data" && Buffer.from(data.body).toString()).toBe("abc");
  });

  test("stops after one window without credit, continues with each grant, and is whole in the end", async () => {
    const size = 3 * WINDOW + 5;
    const link = await rig.serve((request) =>
      request.url.endsWith("/big") ? new Response(new Uint8Array(size), EVENTS) : new Response("between"),
    );
    const id = link.open({ path: "/big" }, "{}");
    let got = 0;
    const take = async (upTo: number): Promise<boolean> => {
      let end = false;
      while (got < upTo && !end) {
        const frame = await link.frame();
        if (frame.type !== "response" && frame.type !== "response_data") throw new Error(`unexpected ${frame.type}`);
        got += frame.body.length;
        end = frame.end;
      }
      return end;
    };
    await take(WINDOW);
    expect(got).toBe(WINDOW);
    // Anything sent before another exchange's whole answer would have arrived before it.
    const between = link.open({ path: "/between" }, "{}");
    expect(await link.response()).toMatchObject({ id: between, end: true });
    link.credit(id, 1000);
    await take(WINDOW + 1000);
    expect(got).toBe(WINDOW + 1000);
    link.credit(id, 10 * WINDOW);
    await take(size);
    expect(got).toBe(size);
  });

  test.each([
    ["in chunks", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"],
    ["of a known length", "content-length: 100000\r\n\r\nabc"],
    ["that is small", "content-length: 10\r\n\r\nabc"],
  ])("%s that breaks off is reset, so that it cannot look complete", async (_name, rest) => {
    const link = await rig.serveRaw((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
      // The end is sent apart from the bytes before it.
      void turn().then(() => socket.end());
    });
    const id = link.open({ path: "/x" }, "{}");
    for (;;) {
      const frame = await link.frame();
      if (frame.type === "reset") return expect(frame).toMatchObject({ id, code: "upstream_error" });
      expect("end" in frame && frame.end).toBe(false);
    }
  });

  test("that is not HTTP is reset", async () => {
    const link = await rig.serveRaw((socket) => void socket.end("garbage\r\n\r\n"));
    const id = link.open({ path: "/x" }, "{}");
    expect(await link.frame()).toMatchObject({ type: "reset", id, code: "upstream_error" });
  });

  test("that redirects is forwarded and not followed", async () => {
    let asked = 0;
    const other = startBackend(() => {
      asked += 1;
      return new Response("stolen");
    });
    rig.use(other);
    const link = await rig.serve(() => Response.redirect(`${other.url}/secret`, 307));
    link.open({ path: "/x" }, "{}");
    const { head } = await link.response();
    expect(head.status).toBe(307);
    expect(Object.fromEntries(head.headers)["location"]).toBe(`${other.url}/secret`);
    expect(asked).toBe(0);
  });

  test("that is compressed stays compressed", async () => {
    const packed = Bun.gzipSync("hello hello hello");
    const link = await rig.serve(() => new Response(packed, { headers: { "content-encoding": "gzip" } }));
    link.open({ path: "/x" }, "{}");
    const { head, body } = await link.response();
    expect(Object.fromEntries(head.headers)["content-encoding"]).toBe("gzip");
    expect(Buffer.from(Bun.gunzipSync(Uint8Array.from(body))).toString()).toBe("hello hello hello");
  });
});

describe("a request to the worker", () => {
  test("reaches the backend at its path under the base, with the backend's key and without the client's", async () => {
    const seen = Promise.withResolvers<{ url: string; headers: Headers; method: string; text: string }>();
    const link = await rig.serve(
      async (request) => {
        seen.resolve({
          url: request.url,
          headers: request.headers,
          method: request.method,
          text: await request.text(),
        });
        return new Response("ok");
      },
      { backendKey: "of-the-backend" },
    );
    link.open(
      {
        path: "/chat/completions?v=1",
        headers: [
          ["authorization", "Bearer of-the-client"],
          ["x-request-id", "r1"],
        ],
      },
      "body",
    );
    const { url, headers, method, text } = await seen.promise;
    expect([new URL(url).pathname, new URL(url).search, method, text]).toEqual([
      "/v1/chat/completions",
      "?v=1",
      "POST",
      "body",
    ]);
    expect(headers.get("authorization")).toBe("Bearer of-the-backend");
    expect(headers.get("x-request-id")).toBe("r1");
    expect(headers.get("connection")).not.toBe("close");
  });

  test("that arrives in pieces is streamed to the backend, and credit follows what the backend reads", async () => {
    const total = 4 * WINDOW;
    const release = Promise.withResolvers<void>();
    let taken = 0;
    const link = await rig.serve(async (request) => {
      const reader = request.body?.getReader();
      for (;;) {
        const next = await reader?.read();
        if (!next || next.done) return Response.json({ taken });
        taken += next.value.length;
        await release.promise;
      }
    });
    const id = link.open({ path: "/upload" }, "", false);
    let granted = WINDOW;
    let sent = 0;
    const piece = new Uint8Array(32 * 1024).fill(7);
    const sendAll = (): void => {
      while (granted - sent >= piece.length && sent < total) {
        sent += piece.length;
        link.data(id, piece, sent === total);
      }
    };
    sendAll();
    await eventually(() => taken > 0, "the first bytes are taken");
    release.resolve();
    while (sent < total) {
      const frame = await link.frame();
      if (frame.type !== "credit") throw new Error(`expected credit, got ${frame.type}`);
      expect(frame.bytes).toBeGreaterThanOrEqual(WINDOW / 4);
      granted += frame.bytes;
      sendAll();
    }
    const answer = await link.frames.takeUntil(({ type }) => type === "response");
    expect(answer.type === "response" && JSON.parse(Buffer.from(answer.body).toString())).toEqual({ taken: total });
  });

  test("with more bytes than were granted is reset with flow_control, and the link stays open", async () => {
    const link = await rig.serve(async (request) =>
      request.url.endsWith("/next") ? new Response("next") : new Promise<Response>(() => {}),
    );
    const id = link.open({ path: "/x" }, "", false);
    for (let sent = 0; sent <= WINDOW + 8 * 1024 * 1024; sent += 512 * 1024) link.data(id, new Uint8Array(512 * 1024));
    expect(await link.frames.takeUntil(({ type }) => type === "reset")).toMatchObject({ id, code: "flow_control" });
    link.open({ path: "/next" });
    expect(Buffer.from((await link.response()).body).toString()).toBe("next");
  });

  test.each(["/../admin", "/a/%2e%2e/%2e%2e/admin", "//other.host/x", "/%2e%2e%2fadmin", "/..;/admin"])(
    "for %s is refused without asking the backend",
    async (path) => {
      const heard: string[] = [];
      const link = await rig.serve((request) => {
        heard.push(request.url);
        return new Response("no");
      });
      const id = link.open({ path });
      expect(await link.frame()).toMatchObject({ type: "reset", id, code: "protocol_error" });
      expect(heard).toEqual([]);
    },
  );

  test("that cannot be sent, such as a GET with a body, is refused", async () => {
    const link = await rig.serve(() => new Response("no"));
    link.open({ path: "/x", method: "GET" }, "body");
    expect(await link.frame()).toMatchObject({ type: "reset", code: "internal" });
  });

  test("that the backend answers before reading it gets that answer and no more credit", async () => {
    const link = await rig.serve(() => new Response("too large", { status: 413 }));
    const id = link.open({ path: "/upload" }, new Uint8Array(1000), false);
    const { head, end } = await link.response();
    expect([head.status, end]).toEqual([413, true]);
    link.data(id, new Uint8Array(1000));
    link.reset(id);
    const next = link.open({ path: "/upload" });
    expect((await link.response()).id).toBe(next);
  });
});
