import { expect, test } from "bun:test";
import * as v from "valibot";
import { Tells } from "../../../src/cluster/tells.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryLinks } from "../../support/memory-links.ts";

function create() {
  const clock = new FakeClock();
  const links = new MemoryLinks(clock);
  const [a, b, c] = ["a", "b", "c"]
    .map((id) => ({ line: links.join(id) }))
    .map(({ line }) => ({ line, tells: new Tells(line) }));
  if (!a || !b || !c) throw new Error("there are three servers");
  links.connectAll();
  const got: string[] = [];
  for (const { line, tells } of [a, b, c])
    tells.on("greet", v.object({ type: v.literal("greet"), to: v.string() }), (peer, { to }) =>
      got.push(`${line.id} from ${peer}: ${to}`),
    );
  return { clock, links, a, b, c, got };
}

test("a message reaches the receiver of its type, in the order of sending", () => {
  const { clock, a, got } = create();
  expect(a.tells.to("b", { type: "greet", to: "first" })).toBe(true);
  a.tells.toAll({ type: "greet", to: "second" });
  clock.advance(10);
  expect(got).toEqual(["b from a: first", "b from a: second", "c from a: second"]);
});

test("messages that this version does not know, or cannot read, are ignored and counted", () => {
  const { clock, a, b, got } = create();
  for (const text of ["", "[]", '{"type":1}', '{"type":"greet","to":1}', "x".repeat(300_000), '{"type":"later"}'])
    a.line.tell("b", text);
  a.line.tell("b", '{"type":"greet","to":"all","more":1}');
  clock.advance(10);
  expect(b.tells.ignored).toEqual({ malformed: 5, unknown: 1 });
  expect(got).toEqual(["b from a: all"]);
});

test("a message to a peer without a link is not sent", () => {
  const { clock, links, a, got } = create();
  links.cut("a", "b");
  expect(a.tells.to("b", { type: "greet", to: "all" })).toBe(false);
  clock.advance(10);
  expect(got).toEqual([]);
});
