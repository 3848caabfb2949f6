import { afterEach, describe, expect, test } from "bun:test";
import { VERSION } from "../../../src/system/version.ts";
import { decodeFrame, type Frame } from "../../../src/wire/frame.ts";
import { parseRelayHello } from "../../../src/wire/relay-hello.ts";
import { parseServerMessage } from "../../../src/wire/server-messages.ts";
import { parseControl, parseRegister } from "../../../src/wire/worker-messages.ts";
import { McpServer } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ScriptedServer, type ServerLink } from "../../support/scripted-server.ts";
import { TestServer } from "../../support/test-server.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";
import { frameOf, readable, readFixtures, type WireFixture } from "../../support/wire-fixture.ts";

// `tests/fixtures/wire` has what worker, relay and server of this version and of earlier ones said to each other. Today's
// programs must go on reading all of it. `record.ts` records the files of this version again.

type Recorded = WireFixture["messages"][number];
type Json = Readonly<Record<string, unknown>>;

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

const FIXTURES = readFixtures();
const textsFrom = ({ messages }: WireFixture, from: Recorded["from"]): readonly Json[] =>
  messages.flatMap((message) =>
    message.from === from && message.text !== undefined ? [JSON.parse(message.text)] : [],
  );

/** The frames of one exchange from one end. */
function framesOf({ messages }: WireFixture, from: Recorded["from"], id: number): readonly Recorded[] {
  return messages.filter((each) => each.frame !== undefined && each.from === from && frameOf(each).id === id);
}

/** Reads a text as its receiver does. Anything but a value of a known type fails the test. */
function readText(kind: WireFixture["kind"], from: Recorded["from"], json: Json): unknown {
  if (from === "server") {
    const message = parseServerMessage(JSON.stringify(json));
    if (message.type === "bad" || message.type === "unknown") throw new Error(`${json["type"]} is not read`);
    return message;
  }
  const isFirst = json["type"] === "register" || json["type"] === undefined;
  if (!isFirst) {
    const control = parseControl(json);
    if (control.type === "bad" || control.type === "unknown") throw new Error(`${json["type"]} is not read`);
    return control;
  }
  const first = kind === "relay" ? parseRelayHello(json) : parseRegister(json);
  if (!first.ok) throw new Error(first.close.reason);
  return first.value;
}

/** Returns a frame with a member in its head that no version knows yet; undefined for a frame without a head. */
function withLaterField({ frame = "" }: Recorded): Uint8Array | undefined {
  const bytes = Buffer.from(frame, "base64");
  const decoded = decodeFrame(bytes);
  if (decoded.type !== "request" && decoded.type !== "response") return undefined;
  const head = JSON.parse(bytes.subarray(10, 10 + bytes.readUInt32BE(6)).toString());
  const text = Buffer.from(JSON.stringify({ later: { of: ["any", "form"] }, ...head }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([bytes.subarray(0, 6), length, text, decoded.body]);
}

test("this version's link is recorded, of a worker and of a relay", () => {
  const own = FIXTURES.map(([, { kind, version }]) => `${kind} ${version}`);
  for (const kind of ["worker", "relay"]) expect(own).toContain(`${kind} ${VERSION}`);
});

describe.each(FIXTURES)("what %s recorded", (_name, fixture) => {
  test("is read as it was when it was recorded", () => {
    for (const message of fixture.messages) {
      // A later version may read more than the recording version did, and never less.
      if (message.frame !== undefined) expect(readable(frameOf(message))).toMatchObject(message.read as Json);
      else readText(fixture.kind, message.from, JSON.parse(message.text ?? ""));
    }
  });

  test("is read the same with fields that are not known yet", () => {
    for (const message of fixture.messages) {
      if (message.frame === undefined) {
        const json = JSON.parse(message.text ?? "");
        const more = { ...json, later: { of: ["any", "form"] } };
        const info = json.model_info?.map((each: object) => ({ ...each, later: [1] }));
        expect(readText(fixture.kind, message.from, info ? { ...more, model_info: info } : more)).toEqual(
          readText(fixture.kind, message.from, json),
        );
        continue;
      }
      const changed = withLaterField(message);
      if (changed) expect(decodeFrame(changed) as Frame).toEqual(frameOf(message));
    }
  });
});

/** Waits for the whole answer of a worker, which grants credit for the request before it. */
async function answered(link: ServerLink, exchange: number): Promise<void> {
  const head = await link.frames.takeUntil((frame) => frame.type === "response", "an answer");
  expect(head).toMatchObject({ id: exchange, end: true, head: { status: 200 } });
}

const workers = FIXTURES.filter(([, { kind }]) => kind === "worker");
const relays = FIXTURES.filter(([, { kind }]) => kind === "relay");

describe.each(workers)("today's server", (_name, fixture) => {
  test("serves clients with the worker that was recorded", async () => {
    const server = new TestServer();
    running.push(server);
    const [register = {}, ...updates] = textsFrom(fixture, "worker");
    const worker = await NativeWorker.connect({ url: server.url, register });
    running.push({ stop: () => worker.kill() });
    expect((await server.state()).workers[0]).toMatchObject({ id: "recorded", models: ["public", "embed:latest"] });
    const serve = async (exchange: number): Promise<string> => {
      const answer = server.chat("public", { stream: exchange === 2 });
      const { id, head } = await worker.request();
      expect(head).toMatchObject({ method: "POST", path: "/chat/completions" });
      for (const message of framesOf(fixture, "worker", exchange)) {
        const bytes = Buffer.from(message.frame ?? "", "base64");
        bytes.writeUInt32BE(id, 2);
        worker.send(bytes);
      }
      return (await answer).text();
    };
    expect(JSON.parse(await serve(1)).choices[0].message.content).toBe("5 characters");
    const stream = await serve(2);
    expect(stream).toContain("héllo");
    expect(stream).toEndWith("data: [DONE]\n\n");
    for (const update of updates) worker.sendText(update);
    await worker.roundTrip();
    expect((await server.state()).workers[0]).toMatchObject({ status: "draining", models: ["public", "embed:latest"] });
  });
});

describe.each(workers)("today's worker", (_name, fixture) => {
  test("serves the server that was recorded, and leaves it when it is told to", async () => {
    const [registered = {}, ...later] = textsFrom(fixture, "server");
    const server = new ScriptedServer({ registered });
    const bodies: string[] = [];
    const backend = startBackend(async (request) => {
      bodies.push(await request.text());
      return Response.json({ served: true });
    });
    running.push(server, backend);
    const worker = startTestWorker({ server: server.url, backend: backend.url, drainTimeoutMs: 0 });
    running.push(worker);
    const link = await server.worker();
    for (const exchange of [1, 2, 3]) {
      let room = Number(registered["window"]);
      for (const message of framesOf(fixture, "server", exchange)) {
        const frame = frameOf(message);
        if (!("body" in frame)) continue;
        while (room < frame.body.length) {
          const granted = await link.frame();
          if (granted.type === "credit") room += granted.bytes;
        }
        room -= frame.body.length;
        link.send(Buffer.from(message.frame ?? "", "base64"));
      }
      await answered(link, exchange);
    }
    expect(bodies.map((body) => JSON.parse(body).messages[0].content.length)).toEqual([5, 5, 40_000]);
    for (const message of later) link.sendText(message);
    expect(await link.closed).toMatchObject({ code: 1000, reason: "drained" });
  });
});

test.each(relays)("today's server passes calls to the relay that %s recorded", async (_name, fixture) => {
  const server = new McpServer();
  running.push(server);
  const [hello = {}] = textsFrom(fixture, "worker");
  const relay = await NativeWorker.connect({
    url: server.url,
    path: "/api/mcp/connect",
    register: { type: undefined, ...hello },
  });
  running.push({ stop: () => relay.kill() });
  for (const [exchange, status] of [
    [1, 200],
    [2, 401],
  ] as const) {
    const answer = server.rpc(
      { jsonrpc: "2.0", id: 1, method: "tools/list" },
      { headers: { authorization: "Bearer x" } },
    );
    await relay.request();
    for (const message of framesOf(fixture, "worker", exchange)) relay.send(Buffer.from(message.frame ?? "", "base64"));
    expect((await answer).status).toBe(status);
  }
});
