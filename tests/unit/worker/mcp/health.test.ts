import { expect, test } from "bun:test";
import { UpstreamHealth } from "../../../../src/worker/mcp/health.ts";

test("the public server is told once that an MCP server is broken, and once that it works again", () => {
  let changes = 0;
  const health = new UpstreamHealth(() => {
    changes += 1;
  });
  expect(health.update()).toBeUndefined();
  health.works();
  health.failed("it is away");
  health.failed("it is away");
  expect(changes).toBe(1);
  expect(health.update()).toEqual({ type: "status_update", status: "not_ready", reason: "it is away" });
  expect(health.update()).toBeUndefined();
  health.works();
  health.works();
  expect(changes).toBe(2);
  expect(health.update()).toEqual({ type: "status_update", status: "idle" });
});

test("a failure that may be a single one counts only with others in a row", () => {
  const health = new UpstreamHealth();
  health.failed("it ended", 2);
  health.works();
  health.failed("it ended", 2);
  expect(health.isBroken).toBe(false);
  health.failed("it ended", 2);
  expect(health.isBroken).toBe(true);
});

test("a new link is told again", () => {
  const health = new UpstreamHealth();
  health.failed("it is away");
  expect(health.update()).toBeDefined();
  health.begin();
  expect(health.update()).toMatchObject({ status: "not_ready" });
});
