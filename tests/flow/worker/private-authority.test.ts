import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { inboxLog } from "../../support/inbox-log.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { createSelfSigned } from "../../support/self-signed.ts";
import { startBackend, startTestWorker } from "../../support/test-worker.ts";

describe.skipIf(lacks("certificates of private authorities", PROGRAMS.openssl))(
  "a certificate that no known authority has issued is logged with the variable that helps,",
  () => {
    const running: { stop(): Promise<void> }[] = [];
    let url = "";

    beforeEach(() => {
      const certificate = createSelfSigned(2);
      const { key, cert } = certificate;
      const server = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: { key, cert }, fetch: () => new Response("") });
      running.push({ stop: async () => certificate.remove() }, { stop: () => server.stop(true) });
      url = `https://localhost:${server.port}`;
    });
    afterEach(async () => {
      for (const each of running.splice(0).reverse()) await each.stop();
    });

    test("if it is the server's", async () => {
      const backend = startBackend(() => new Response());
      const { log, lines } = inboxLog();
      running.push(backend, startTestWorker({ server: url, backend: backend.url, drainTimeoutMs: 0 }, { log }));
      const line = await lines.takeUntil(({ event }) => event === "link.closed", "link.closed");
      expect(line["reason"]).toContain("self signed certificate");
      expect(line["hint"]).toContain("NODE_EXTRA_CA_CERTS");
    });

    test("if it is the model server's", async () => {
      const { log, lines } = inboxLog();
      running.push(startTestWorker({ server: "http://127.0.0.1:1", backend: `${url}/v1`, drainTimeoutMs: 0 }, { log }));
      const line = await lines.takeUntil(({ event }) => event === "backend.not_ready", "backend.not_ready");
      expect(line["reason"]).toContain("DEPTH_ZERO_SELF_SIGNED_CERT");
      expect(line["hint"]).toContain("NODE_EXTRA_CA_CERTS");
    });
  },
);
