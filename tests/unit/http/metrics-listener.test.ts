import { expect, test } from "bun:test";
import { answerMetrics } from "../../../src/http/metrics-listener.ts";

test("a request whose Host makes its URL invalid is answered like one for another URL", async () => {
  // Bun gives such requests to a server, but lets nobody make one.
  const request = { url: "/metrics", method: "GET", headers: new Headers() } as Request;
  const response = await answerMetrics(
    request,
    { text: () => Promise.resolve(""), contentType: "text/plain" },
    () => "id",
  );
  expect(response.status).toBe(404);
});
