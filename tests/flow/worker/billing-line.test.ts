import { afterEach, expect, test } from "bun:test";
import { WorkerRig } from "../../support/worker-rig.ts";

let rig = new WorkerRig();
afterEach(async () => {
  await rig.stop();
  rig = new WorkerRig();
});

const LINE = { type: "text", text: "x-anthropic-billing-header: cc_version=2.1.177; cc_entrypoint=cli; cch=36ee5;" };
const SYSTEM = { type: "text", text: "You are Claude Code." };
const WITH_LINE = JSON.stringify({ model: "m", system: [LINE, SYSTEM], messages: [] });

/** Starts a worker whose backend answers with the request's own body. */
const start = (dropBillingLine: "true" | "false") =>
  rig.serve(async (request) => new Response(await request.arrayBuffer()), { dropBillingLine });

test("a worker that is told so leaves Claude Code's billing line out of requests, whole or in pieces", async () => {
  const link = await start("true");
  const without = JSON.stringify({ model: "m", system: [SYSTEM], messages: [] });
  const whole = link.open({ method: "POST", path: "/messages?beta=true" }, WITH_LINE);
  expect((await link.answer(whole)).text).toBe(without);
  const headers = [["content-length", String(WITH_LINE.length)]] as const;
  const pieces = link.open({ method: "POST", path: "/messages", headers }, WITH_LINE.slice(0, 90), false);
  link.data(pieces, WITH_LINE.slice(90), true);
  expect((await link.answer(pieces)).text).toBe(without);
});

test("a body that does not have its declared length is not sent on", async () => {
  const link = await start("true");
  for (const length of [WITH_LINE.length - 1, WITH_LINE.length + 1]) {
    const headers = [["content-length", String(length)]] as const;
    const id = link.open({ method: "POST", path: "/messages", headers }, WITH_LINE.slice(0, 90), false);
    link.data(id, WITH_LINE.slice(90), true);
    expect(await link.frame()).toMatchObject({ type: "reset", code: "protocol_error" });
  }
});

test("other routes are passed on as they are, and so is everything by default", async () => {
  const link = await start("true");
  const other = link.open({ method: "POST", path: "/embeddings" }, WITH_LINE);
  expect((await link.answer(other)).text).toBe(WITH_LINE);
  await rig.stop();
  rig = new WorkerRig();
  const usual = await start("false");
  const id = usual.open({ method: "POST", path: "/messages" }, WITH_LINE);
  expect((await usual.answer(id)).text).toBe(WITH_LINE);
});
