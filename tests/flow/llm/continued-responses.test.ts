import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Answered, answering } from "../../support/answering-worker.ts";
import { eventually } from "../../support/eventually.ts";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;
/** The number of responses made so far, so that no two have the same id. */
let made = 0;
beforeEach(() => {
  server = new TestServer({ modelGraceMs: 0 });
});
afterEach(() => server.stop());

/** A worker that makes responses with ids of its own, as a stream if it is asked for one. */
async function connect(id: string, models: readonly string[] = ["m"]): Promise<Answered> {
  return answering(await server.worker({ worker_id: id, models, max_concurrency: 4 }), (worker, frame, body) => {
    made += 1;
    const response = { id: `resp_${id}_${made}`, object: "response", output: [], instructions: "x".repeat(6000) };
    if (body["stream"] !== true) return worker.answerJson(frame.id, response);
    const event = { type: "response.created", response };
    worker.head(frame.id, 200, undefined, `event: response.created\ndata: ${JSON.stringify(event)}\n\n`);
    worker.data(frame.id, 'event: response.completed\ndata: {"type":"response.completed"}\n\n', true);
  });
}

/** Asks for a response and returns its id, or the error. */
async function respond(more: object): Promise<{ readonly id?: string; readonly error?: Record<string, unknown> }> {
  const answer = await server.post("/v1/responses", { model: "m", input: "hello", ...more });
  const text = await answer.text();
  const id = /"id":"(resp_[^"]+)"/.exec(text)?.[1];
  return id === undefined ? (JSON.parse(text) as { error: Record<string, unknown> }) : { id };
}

describe("a request that continues a response", () => {
  test("goes to the worker that has it, however busy that one is, whether the response was a stream or not", async () => {
    const workers = [await connect("w1"), await connect("w2"), await connect("w3")];
    for (const stream of [false, true]) {
      const { id } = await respond({ stream });
      const home = id?.split("_")[1];
      for (let turn = 0; turn < 6; turn += 1) {
        const next = await respond({ previous_response_id: id, stream: turn % 2 === 0 });
        expect(next.id).toStartWith(`resp_${home}_`);
      }
    }
    for (const worker of workers) worker.close();
  });

  test("is told to send everything again when that worker has left", async () => {
    const [one, two] = [await connect("w1"), await connect("w2")];
    const { id } = await respond({});
    const home = id?.split("_")[1] === "w1" ? one : two;
    home.close();
    await eventually(async () => (await server.state()).workers.length === 1, "the worker has left");
    const answer = await server.post("/v1/responses", { model: "m", input: "more", previous_response_id: id });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      error: { code: "previous_response_not_found", param: "previous_response_id", type: "invalid_request_error" },
    });
    expect((await respond({ input: "everything" })).id).toBeDefined();
    for (const worker of [one, two]) worker.close();
  });

  test("is told so too when an operator has drained that worker, and when the worker has not the model", async () => {
    const [one, two] = [await connect("w1", ["m", "n"]), await connect("w2", ["m"])];
    const ids = new Map<string, string>();
    while (ids.size < 2) {
      const answers = await Promise.all([respond({}), respond({})]);
      for (const { id } of answers) if (id !== undefined) ids.set(id.split("_")[1] ?? "", id);
    }
    const wrongModel = await respond({ model: "n", previous_response_id: ids.get("w2") });
    expect(wrongModel.error?.["code"]).toBe("previous_response_not_found");
    expect((await respond({ model: "n", previous_response_id: ids.get("w1") })).id).toStartWith("resp_w1_");
    const drained = await server.fetch("/api/state/workers/w1/drain", { method: "POST" });
    expect(drained.ok).toBe(true);
    const gone = await respond({ previous_response_id: ids.get("w1") });
    expect(gone.error?.["code"]).toBe("previous_response_not_found");
    for (const worker of [one, two]) worker.close();
  });

  test("is served by any worker if the server does not know the response, and by its worker again after a short absence", async () => {
    const one = await connect("w1");
    expect((await respond({ previous_response_id: "resp_from_elsewhere" })).id).toBeDefined();
    const { id } = await respond({});
    one.close();
    await eventually(async () => (await server.state()).workers.length === 0, "the worker has left");
    const back = await connect("w1");
    expect((await respond({ previous_response_id: id })).id).toStartWith("resp_w1_");
    const { id: unstored } = await respond({ store: false });
    const other = await connect("w2");
    back.close();
    await eventually(async () => (await server.state()).workers.length === 1, "the worker has left");
    expect((await respond({ previous_response_id: unstored })).id).toStartWith("resp_w2_");
    other.close();
  });
});
