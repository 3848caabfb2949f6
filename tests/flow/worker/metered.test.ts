import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { encodeRequest } from "../../../src/wire/frame.ts";
import type { ServerLink } from "../../support/scripted-server.ts";
import { EVENTS, WorkerRig } from "../../support/worker-rig.ts";

const BODY = '{"model":"m","stream":true}';
const METERED = { at: 1, end: 1, text: '"stream_options":{"include_usage":true},' };
const ASKED = '{"stream_options":{"include_usage":true},"model":"m","stream":true}';
const REQUEST = { path: "/chat/completions", stream: true, metered: METERED };

let rig: WorkerRig;
let bodies: string[];
beforeEach(() => {
  rig = new WorkerRig();
  bodies = [];
});
afterEach(() => rig.stop());

/** Connects a worker to a model server of a family that may be asked, which answers with `answer`. */
async function serve(answer: (body: string) => Response, owner = "sglang"): Promise<ServerLink> {
  const models = (): Response => Response.json({ object: "list", data: [{ id: "m", owned_by: owner }] });
  return rig.serveFamily(models, async (request) => {
    // The worker asks a server of this family for its number of slots.
    if (request.method === "GET") return new Response(null, { status: 404 });
    const body = await request.text();
    bodies.push(body);
    return answer(body);
  });
}

const stream = (): Response => new Response("data: [DONE]\n\n", EVENTS);

/** A model server that does not know the options of a stream. */
function strict(body: string): Response {
  if (!body.includes("stream_options")) return stream();
  return Response.json(
    { error: { message: "Unrecognized request argument supplied: stream_options" } },
    { status: 400 },
  );
}

describe("a request that asks for the usage of its stream", () => {
  test("is changed for a server that takes it, and the response says so", async () => {
    const link = await serve(stream);
    link.open(REQUEST, BODY);
    expect((await link.response()).head).toMatchObject({ status: 200, metered: true });
    expect(bodies).toEqual([ASKED]);
  });

  test("stays as it is for any other server", async () => {
    const link = await serve(stream, "somebody");
    link.open(REQUEST, BODY);
    expect((await link.response()).head).not.toHaveProperty("metered");
    expect(bodies).toEqual([BODY]);
  });

  test("is sent again without asking to a server that refuses it, which is never asked again", async () => {
    const link = await serve(strict);
    for (let count = 0; count < 2; count += 1) {
      const id = link.open(REQUEST, BODY);
      const { head } = await link.response();
      expect(head).not.toHaveProperty("metered");
      expect(head.status).toBe(200);
      await link.frameOf(id);
    }
    expect(bodies).toEqual([ASKED, BODY, BODY]);
  });

  test("is refused as the client's own if it is wrong in another way, and the server is asked again", async () => {
    const quote = (body: string): Response => Response.json({ error: `not good: ${body}` }, { status: 400 });
    const link = await serve((body) => (body.includes('"bad"') ? quote(body) : stream()));
    const bad = '{"model":"bad"}';
    link.open(REQUEST, bad);
    const refused = await link.response();
    expect([refused.head.status, Buffer.from(refused.body).toString()]).toEqual([
      400,
      `{"error":"not good: ${bad.replaceAll('"', '\\"')}"}`,
    ]);
    const id = link.open(REQUEST, BODY);
    expect((await link.response()).head).toHaveProperty("metered", true);
    await link.frameOf(id);
    expect(bodies.at(-1)).toBe(ASKED);
  });

  test("is refused at once where the refusal has another reason", async () => {
    const link = await serve(() => Response.json({ error: "no such model" }, { status: 400 }));
    link.open(REQUEST, BODY);
    const { head, body } = await link.response();
    expect([head.status, Buffer.from(body).toString()]).toEqual([400, '{"error":"no such model"}']);
    expect(bodies).toHaveLength(1);
  });

  test("is changed in pieces if its body comes in pieces, and repeated if it is refused at the first try", async () => {
    for (const [answer, expected] of [
      [stream, [ASKED, ASKED]],
      [strict, [ASKED, BODY, BODY]],
    ] as const) {
      bodies = [];
      const link = await serve(answer);
      for (let count = 0; count < 2; count += 1) {
        const headers = [["content-length", String(BODY.length)]] as const;
        const id = link.open({ ...REQUEST, headers }, BODY.slice(0, 4), false);
        link.data(id, BODY.slice(4), true);
        const { head, end } = await link.response();
        expect([head.status, head.metered]).toEqual([200, answer === stream ? true : undefined]);
        if (!end) await link.frameOf(id);
      }
      expect(bodies).toEqual([...expected]);
    }
  });

  test("is not changed at a first try if the length of its body is not known", async () => {
    const link = await serve(stream);
    const id = link.open(REQUEST, BODY.slice(0, 4), false);
    link.data(id, BODY.slice(4), true);
    expect((await link.response()).head).not.toHaveProperty("metered");
    expect(bodies).toEqual([BODY]);
  });
});

test("a request of a server that does not know the question is served as before", async () => {
  const link = await serve(stream);
  // The head as a server of an earlier version writes it.
  const head = {
    method: "POST",
    path: "/chat/completions",
    headers: [["x-request-id", "r-1"]] as const,
    timeout_ms: 120_000,
    stream: true,
  };
  link.send(encodeRequest(1, head, Buffer.from(BODY), true));
  expect((await link.response()).head).not.toHaveProperty("metered");
  expect(bodies).toEqual([BODY]);
});
