import { afterEach, describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import { createAuth } from "../../../src/auth/auth.ts";
import { Fault } from "../../../src/errors.ts";
import { errorResponse } from "../../../src/http/error-response.ts";
import { createListener } from "../../../src/http/listener.ts";
import { createVisit } from "../../../src/http/visit.ts";
import type { Plugin } from "../../../src/plugin/contract.ts";
import type { Pulse } from "../../../src/plugin/reports.ts";
import { NO_VISIT } from "../../../src/plugin/route-context.ts";
import type { Overview } from "../../../src/state/overview.ts";
import { type StateApi, stateRoutes } from "../../../src/state/routes.ts";
import type { CancelTimer, Clock } from "../../../src/system/deps.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { type Config, defaultConfig } from "../../support/default-config.ts";
import { eventually } from "../../support/eventually.ts";
import { stillOverview } from "../../support/still-overview.ts";
import { turn } from "../../support/turn.ts";

/** Time that moves when told, and runs what is due then. */
class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ at: number; readonly everyMs: number | undefined; readonly run: () => void }>();

  now = (): number => this.#now;
  elapsed = (): number => this.#now;
  after = (ms: number, run: () => void): CancelTimer => this.#add(ms, undefined, run);
  every = (ms: number, run: () => void): CancelTimer => this.#add(ms, ms, run);

  get timers(): number {
    return this.#timers.size;
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const next = [...this.#timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#now = next.at;
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.at += next.everyMs;
      next.run();
    }
    this.#now = end;
  }

  #add(ms: number, everyMs: number | undefined, run: () => void): CancelTimer {
    const timer = { at: this.#now + ms, everyMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

const KEY = "state-key";

const QUIET: Pulse = {
  workers: { idle: 1, working: 0, notReady: 0, draining: 0 },
  slots: { used: 0, total: 4 },
  queue: { waiting: 0, capacity: 100 },
  requests: 0,
  failures: 0,
  tokens: 0,
  bytes: 0,
};

/** The State API on a real socket, over one plugin whose state is a number. */
class StateServer {
  readonly clock = new ManualClock();
  readonly api: StateApi;
  readonly overview: Overview;
  readonly url: string;
  readonly #elysia;
  revision = 1;
  written = 0;
  padding = "";
  breaks = false;
  pulse: Pulse = QUIET;

  constructor(overrides: Partial<Config> = {}) {
    const config = defaultConfig({
      apiKeys: [KEY],
      keepaliveIntervalMs: 15_000,
      clientStallTimeoutMs: 60_000,
      ...overrides,
    });
    const deps = { clock: this.clock, ids: systemIds, log: silentLog };
    const revision = (): number => this.revision;
    const plugin: Plugin = {
      id: "test",
      routes: new Elysia(),
      reports: {
        state: () => {
          if (this.breaks) throw new Error("broken");
          this.written += 1;
          return { revision: this.revision, padding: this.padding };
        },
        get revision() {
          return revision();
        },
        pulse: () => this.pulse,
      },
    };
    this.overview = stillOverview([plugin], deps, config);
    const listener = createListener(() => this.#elysia.server);
    this.api = stateRoutes({
      config,
      deps,
      auth: createAuth(config, deps, { idleTimeouts: listener }),
      listener,
      plugins: [plugin],
      version: "1.2.3",
      overview: this.overview,
    });
    this.#elysia = new Elysia({ serve: { reusePort: false, development: false } })
      .decorate("visit", NO_VISIT)
      .onRequest((context) => {
        context.visit = createVisit(context.request, "r", listener);
      })
      .onError(({ error }) =>
        error instanceof Fault ? errorResponse(error, "r") : new Response("bug", { status: 500 }),
      )
      .use(this.api.routes)
      .listen({ port: 0, hostname: "127.0.0.1" });
    this.url = `http://127.0.0.1:${this.#elysia.server?.port}`;
  }

  /** Answers a request without a connection. */
  handle(path: string): Promise<Response> {
    return this.#elysia.handle(new Request(`http://localhost${path}`, { headers: { "x-api-key": KEY } }));
  }

  get(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { headers: { authorization: `Bearer ${KEY}` }, ...init });
  }

  async view(init: RequestInit = {}): Promise<Viewer> {
    const response = await this.get("/api/state/stream", init);
    expect(response.status).toBe(200);
    return new Viewer(response);
  }

  async stop(): Promise<void> {
    this.overview.stop();
    this.api.close();
    await this.#elysia.stop(true);
  }
}

/** Reads an event stream, event by event. */
class Viewer {
  readonly response: Response;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #text = "";

  constructor(response: Response) {
    if (!response.body) throw new Error("no body");
    this.response = response;
    this.#chunks = response.body[Symbol.asyncIterator]();
  }

  /** The next event or comment without its blank line; undefined at the end. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return event;
      }
      const { done, value } = await this.#chunks.next();
      if (done) return undefined;
      this.#text += new TextDecoder().decode(value);
    }
  }

  async revision(): Promise<number | undefined> {
    const event = await this.next();
    return event === undefined ? undefined : JSON.parse(event.replace(/^data: /, "")).plugins.test.revision;
  }

  /** What the newest second in the next event says. */
  async bytes(): Promise<number> {
    return JSON.parse((await this.next())?.replace(/^data: /, "") ?? "").server.sample.bytes;
  }

  async leave(): Promise<void> {
    await this.#chunks.return?.();
  }
}

let server: StateServer;
afterEach(() => server.stop());

describe("the state stream", () => {
  test("begins with an envelope at once, and proxies do not buffer it", async () => {
    server = new StateServer();
    const viewer = await server.view();
    const event = await viewer.next();
    expect(event).toStartWith('data: {"server":{"state":"not_ready",');
    expect(event).toEndWith(',"plugins":{"test":{"revision":1,"padding":""}}}');
    expect(viewer.response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(viewer.response.headers.get("cache-control")).toBe("no-cache, no-transform");
    expect(viewer.response.headers.get("x-accel-buffering")).toBe("no");
  });

  test("sends at most one envelope per second, and only after a change", async () => {
    server = new StateServer();
    const viewer = await server.view();
    expect(await viewer.revision()).toBe(1);
    server.clock.advance(5000);
    server.revision = 2;
    server.clock.advance(400);
    server.revision = 3;
    server.clock.advance(600);
    expect(await viewer.revision()).toBe(3);
    // Whatever had come in between would be read here instead.
    server.revision = 4;
    server.clock.advance(1000);
    expect(await viewer.revision()).toBe(4);
  });

  test("sends an envelope after a second whose figures changed, and none after one whose figures did not", async () => {
    server = new StateServer();
    server.overview.start(() => server.api.viewers);
    const viewer = await server.view();
    await viewer.next();
    server.clock.advance(2000);
    server.pulse = { ...QUIET, bytes: 100 };
    server.clock.advance(2000);
    expect(await viewer.bytes()).toBe(0);
    expect(await viewer.bytes()).toBe(100);
    server.clock.advance(10_000);
    expect(await viewer.bytes()).toBe(0);
    // Whatever the quiet seconds had sent would be read here instead.
    server.pulse = { ...QUIET, bytes: 107 };
    server.clock.advance(2000);
    expect(await viewer.bytes()).toBe(7);
  });

  test("reports the number of viewers one second after a viewer joined", async () => {
    server = new StateServer();
    server.overview.start(() => server.api.viewers);
    const early = await server.view();
    await early.next();
    server.clock.advance(2000);
    expect(await early.next()).toContain('"viewers":1,');
    const late = await server.view();
    await late.next();
    server.clock.advance(2000);
    expect(await early.next()).toContain('"viewers":2,');
  });

  test("continues after a plugin failed to give its pulse", async () => {
    server = new StateServer();
    server.overview.start(() => server.api.viewers);
    Object.defineProperty(server, "pulse", {
      get: () => {
        throw new Error("broken");
      },
      configurable: true,
    });
    server.clock.advance(1000);
    Object.defineProperty(server, "pulse", { value: QUIET });
    server.clock.advance(1000);
    const state = await (await server.get("/api/state")).json();
    expect(state).toMatchObject({ server: { sample: { workers_idle: 1 } } });
  });

  test("is serialized once for all viewers", async () => {
    server = new StateServer();
    const viewers = await Promise.all(Array.from({ length: 20 }, () => server.view()));
    for (const viewer of viewers) expect(await viewer.revision()).toBe(1);
    expect(server.written).toBe(1);
    server.revision = 2;
    server.clock.advance(1000);
    for (const viewer of viewers) expect(await viewer.revision()).toBe(2);
    expect(server.written).toBe(2);
  });

  test("gives a new viewer the current state, and the others at the next second", async () => {
    server = new StateServer();
    const early = await server.view();
    expect(await early.revision()).toBe(1);
    server.revision = 2;
    const late = await server.view();
    expect(await late.revision()).toBe(2);
    server.clock.advance(1000);
    expect(await early.revision()).toBe(2);
  });

  test("is kept alive by comments", async () => {
    server = new StateServer({ keepaliveIntervalMs: 2000 });
    const viewer = await server.view();
    await viewer.next();
    server.clock.advance(2000);
    expect(await viewer.next()).toBe(": keep-alive");
  });

  test("does no work without viewers", async () => {
    server = new StateServer();
    expect(server.clock.timers).toBe(0);
    const viewer = await server.view();
    await viewer.next();
    expect(server.clock.timers).toBe(2);
    await viewer.leave();
    const { clock } = server;
    await eventually(() => clock.timers === 0, "the viewer is gone");
    const before = server.written;
    server.revision = 2;
    server.clock.advance(60_000);
    expect(server.written).toBe(before);
  });

  test("skips a viewer that does not read, and gives it the newest envelope when it reads again", async () => {
    server = new StateServer();
    server.padding = "x".repeat(1 << 20);
    const slow = await server.view();
    // Far more than the sockets' buffers hold.
    for (let i = 0; i < 40; i += 1) {
      server.revision += 1;
      server.clock.advance(1000);
      await turn(); // Lets the socket take what it has room for.
    }
    const last = server.revision;
    const seen: (number | undefined)[] = [];
    do seen.push(await slow.revision());
    while (seen.at(-1) !== last && seen.at(-1) !== undefined);
    expect(seen.at(-1)).toBe(last);
    expect(seen.length).toBeLessThan(40);
  }, 20_000);

  test("is closed for a viewer that reads nothing for too long", async () => {
    server = new StateServer({ clientStallTimeoutMs: 30_000 });
    server.padding = "x".repeat(1 << 20);
    await server.view();
    for (let i = 0; i < 120 && server.clock.timers > 0; i += 1) {
      server.revision += 1;
      server.clock.advance(1000);
      await turn(); // As above.
    }
    expect(server.clock.timers).toBe(0);
  }, 20_000);

  test("continues after a plugin failed to give its state", async () => {
    server = new StateServer();
    const viewer = await server.view();
    await viewer.next();
    server.breaks = true;
    server.revision = 2;
    server.clock.advance(1000);
    server.breaks = false;
    server.clock.advance(1000);
    expect(await viewer.revision()).toBe(2);
    server.breaks = true;
    server.revision = 3;
    expect((await server.get("/api/state/stream")).status).toBe(500);
  });

  test("ends in order when the server drains, and is refused after that", async () => {
    server = new StateServer();
    const viewer = await server.view();
    await viewer.next();
    server.api.close();
    expect(await viewer.next()).toBeUndefined();
    const refused = await server.get("/api/state/stream");
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(server.clock.timers).toBe(0);
  });

  test("answers HEAD without counting a viewer", async () => {
    server = new StateServer();
    const response = await server.get("/api/state/stream", { method: "HEAD" });
    expect(response.headers.get("content-type")).toStartWith("text/event-stream");
    expect(server.clock.timers).toBe(0);
  });

  test("accepts at most a thousand viewers", async () => {
    server = new StateServer();
    const responses = await Promise.all(Array.from({ length: 1000 }, () => server.handle("/api/state/stream")));
    expect(responses.every((response) => response.status === 200)).toBe(true);
    const refused = await server.get("/api/state/stream");
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: "too_many_connections" } });
    await responses[0]?.body?.cancel();
    expect((await server.get("/api/state/stream")).status).toBe(200);
  });

  test("of a browser ends with its sign-in", async () => {
    server = new StateServer({ keepaliveIntervalMs: 1000 });
    const signedIn = await fetch(`${server.url}/state/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ key: KEY }),
      redirect: "manual",
    });
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const viewer = await server.view({ headers: { cookie } });
    await viewer.next();
    await fetch(`${server.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    server.clock.advance(1000);
    expect(await viewer.next()).toBeUndefined();
  });
});
