import { expect, test } from "bun:test";
import type { Answer, Backend } from "../../../../../src/answering/opening.ts";
import { ruled, type RuledOptions } from "../../../../../src/worker/mcp/ruled/ruled-backend.ts";
import { SseRewriter } from "../../../../../src/worker/mcp/ruled/sse-rewriter.ts";
import { compileRules } from "../../../../../src/worker/mcp/rules.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

function rig(answer: (text: string) => Answer, more: Partial<RuledOptions> = {}) {
  const seen: string[] = [];
  const backend: Backend = { open: () => ({ kind: "ask", mayFallSilent: false, ask: async (body) => {
    const text = body ? await new Response(body as any).text() : ""; seen.push(text); return answer(text); } }) };
  const it = ruled(backend, { callers: undefined, rules: undefined, auditArguments: false, facts: undefined, secret: "s", clock: new FakeClock(), ...more });
  const ask = async (body: string, headers: [string,string][] = [], method = "POST") => {
    const opening = it.open({ method, path: "/", headers: [["content-type", "application/json"], ...headers] });
    if (opening.kind !== "ask") return opening as any;
    const a = await opening.ask(new TextEncoder().encode(body), new AbortController().signal);
    return { ...a, text: a.body ? await new Response(a.body as any).text() : "" };
  };
  return { seen, ask };
}
const json = (text: string): Answer => ({ status: 200, headers: [["content-type", "application/json"]], body: new TextEncoder().encode(text) });
const sse = (text: string): Answer => ({ status: 200, headers: [["content-type", "text/event-stream"]], body: new Blob([text]).stream() as any });
const rules = compileRules({ tools: ["read_*"] });

test("a list with NaN, which Python writes and reads, is restricted or refused", async () => {
  const list = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"delete_all","inputSchema":{"type":"object","properties":{"x":{"default":NaN}}}}]}}';
  for (const of of [json, (t: string) => sse(`data: ${t}\n\n`)]) {
    const { ask } = rig(() => of(list), { rules });
    const a = await ask('{"jsonrpc":"2.0","id":1,"method":"tools/list"}').catch((e: unknown) => ({ text: String(e) }));
    expect(a.text).not.toContain("delete_all");
  }
});

test("calls with an id of null, and as notifications, count towards the caller's limit", async () => {
  const callers = [{ name: "ann", token: "t", rules: {}, parallel: undefined, requestsPerMinute: 1 }];
  const { ask, seen } = rig(() => json('{"jsonrpc":"2.0","id":1,"result":{}}'), { callers });
  const bearer: [string,string][] = [["authorization", "Bearer t"]];
  for (const id of ['"id":null,', "", '"id":1,', '"id":true,', '"id":{},']) await ask(`{"jsonrpc":"2.0",${id}"method":"tools/call","params":{"name":"x"}}`, bearer);
  console.log(seen.length);
  expect(seen.length).toBeLessThanOrEqual(1);
});

test("fuzz: SSE rewriting gives what a reader reads, filtered, however the bytes arrive", () => {
  const rnd = (n: number) => Math.floor(Math.random() * n);
  const parse = (text: string): { id?: string; event?: string; data: string }[] => {
    const out: any[] = []; let cur: any = { data: [] }; 
    for (const line of text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/)) {
      if (line === "") { if (cur.data.length) out.push({ id: cur.id, event: cur.event, data: cur.data.join("\n") }); cur = { id: cur.id, data: [] }; continue; }
      if (line.startsWith(":")) continue;
      const c = line.indexOf(":"); const f = c < 0 ? line : line.slice(0, c); let v = c < 0 ? "" : line.slice(c + 1); if (v.startsWith(" ")) v = v.slice(1);
      if (f === "data") cur.data.push(v); else if (f === "id") cur.id = v; else if (f === "event") cur.event = v;
    }
    return out;
  };
  for (let i = 0; i < 30000; i++) {
    const nl = () => ["\n", "\r\n", "\r"][rnd(3)];
    let text = rnd(4) === 0 ? "\uFEFF" : "";
    for (let k = 0; k < 1 + rnd(4); k++) {
      const lines = [] as string[];
      for (let l = 0; l < rnd(5); l++) lines.push(["data: KEEP", "data:DROP", "data: CHANGE", "data", "id: 7", "id", "event: x", ": c", ":", "data:  é", "datax: 1"][rnd(11)]!);
      text += lines.map((x) => x + nl()).join("") + nl();
    }
    if (rnd(3) === 0) text += "data: DROP";
    const rewrite = (d: string) => d.includes("DROP") ? "none" as const : d.includes("CHANGE") ? "NEW" : "same" as const;
    const r = new SseRewriter(rewrite);
    const bytes = new TextEncoder().encode(text);
    const outs: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) { const n = 1 + rnd(6); outs.push(Uint8Array.from(r.push(bytes.subarray(at, at + n)))); at += n; }
    outs.push(r.end());
    const got = parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(outs)));
    const want = parse(text).flatMap((e) => { const b = rewrite(e.data); return b === "none" ? [] : [{ ...e, data: b === "same" ? e.data : b }]; });
    try { expect(got).toEqual(want); } catch (e) { console.log(JSON.stringify(text)); console.log(JSON.stringify(got), JSON.stringify(want)); throw e; }
    if (new TextDecoder().decode(Buffer.concat(outs)).includes("DROP")) { console.log("LEAK", JSON.stringify(text)); throw new Error("leak"); }
  }
});
