import { describe, expect, test } from "bun:test";
import type { LoadFigures } from "../../../../src/demo/cluster/load.ts";
import type { Machine } from "../../../../src/demo/cluster/machine.ts";
import {
  beginText,
  clusterGuide,
  fateText,
  helpText,
  lossText,
  noNatsText,
  statusText,
} from "../../../../src/demo/cluster/texts.ts";

const FIGURES: LoadFigures = { running: 3, runningAt: [2, 1], whole: 10, broken: 0, retried: 0 };

const machine = (name: string, state: Machine["state"]): Machine => ({
  name,
  state,
  start: async () => {},
  stop: async () => {},
  kill: async () => {},
  freeze: () => {},
  thaw: () => {},
});

describe("the demo of a cluster", () => {
  test("prints the address of each dashboard, the keys, and every command", () => {
    const text = clusterGuide({
      url: "http://127.0.0.1:8080",
      apiKey: "api-k",
      clientKey: "worker-k",
      model: "m",
      servers: [
        { name: "s1", url: "http://127.0.0.1:1" },
        { name: "s2", url: "http://127.0.0.1:2" },
      ],
      nats: "2.15.1 (from this machine)",
      workers: 4,
      streams: 16,
      launcher: "bun run moorage",
    });
    for (const part of ["http://127.0.0.1:1/state  (s1)", "http://127.0.0.1:2/state  (s2)", "api-k", "worker-k"])
      expect(text).toContain(part);
    expect(text).toContain(helpText);
    expect(text).toContain('http://127.0.0.1:1/v1/chat/completions -d \'{"model":"m"');
  });

  test("says what runs where", () => {
    const text = statusText([machine("s1", "up"), machine("s2", "down"), machine("nats", "up")], FIGURES);
    expect(text).toBe(
      "s1 up, streams: 2 · s2 down, streams: 1 · nats up\n" +
        "3 streams run; 10 requests answered, 0 broken, 0 sent again to another server\n",
    );
  });

  test("says what becomes of the requests under way at a command", () => {
    expect(fateText("kill nats", { whole: 16, broken: 0, retried: 0 })).toBe(
      "Of 16 requests under way at 'kill nats', none was harmed.\n",
    );
    expect(fateText("kill 2", { whole: 7, broken: 8, retried: 1 })).toBe(
      "Of 16 requests under way at 'kill 2', 7 ended whole, 8 broke off and 1 had no answer yet and went to another server.\n",
    );
    expect(fateText("kill 2", { whole: 0, broken: 0, retried: 0 })).toBeUndefined();
  });

  test("says before a slow command what it waits for", () => {
    expect(beginText("stop", machine("s2", "up"), 1)).toBe("s2 is stopping: its 1 stream may finish first\n");
    expect(beginText("restart", machine("nats", "up"), undefined)).toBe("nats is stopping\n");
    expect(beginText("stop", machine("s2", "down"), 0)).toBeUndefined();
    expect(beginText("kill", machine("s2", "up"), 3)).toBeUndefined();
  });

  test("says what was lost, and nothing if nothing was", () => {
    expect(lossText(FIGURES, { ...FIGURES, whole: 20 })).toBeUndefined();
    expect(lossText(FIGURES, { ...FIGURES, broken: 1, retried: 3 })).toBe(
      "1 stream broke off, 3 requests were sent again to another server\n",
    );
  });

  test("says what was tried and how to install nats-server if there is none", () => {
    const text = noNatsText(["PyPI: no network"]);
    expect(text).toContain("PyPI: no network");
    expect(text).toContain("apt-get install nats-server");
  });
});
