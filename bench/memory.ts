import type { Children } from "./children.ts";
import type { LoadAnswer, LoadQuestion } from "./load.ts";
import { startServer, startWorker } from "./moorage.ts";
import { memoryKib } from "./process-reading.ts";
import type { PartResult } from "./report.ts";

const CONCURRENCY = 16;
/** Memory is flat if the last reading is within a tenth of the first. By then the code is compiled. */
const FLAT = 1.1;
const BODY = JSON.stringify({
  model: "bench-chat",
  messages: [{ role: "user", content: "What floats in a harbour?" }],
});

/** Measures the server's memory over many small requests. */
export async function measureMemory(children: Children, isQuick: boolean): Promise<PartResult> {
  const steps = 8;
  const perStep = isQuick ? 2500 : 25_000;
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const server = await startServer(children);
  const worker = await startWorker(children, "llm", server, backend, "bench-worker", ["--max-concurrency", "64"]);
  const question: LoadQuestion = {
    kind: "requests",
    target: server.target("/v1/chat/completions"),
    body: BODY,
    count: perStep,
    concurrency: CONCURRENCY,
  };
  const rows: string[][] = [["0", mib(memoryKib(server.pid, "now")), mib(memoryKib(worker.pid, "now"))]];
  const readings: number[] = [];
  for (let step = 1; step <= steps; step += 1) {
    const { failures, wrong } = await load.ask<LoadAnswer>(question, 120_000);
    if (failures > 0) throw new Error(`${failures} failures, such as ${wrong}`);
    const kib = memoryKib(server.pid, "now");
    readings.push(kib);
    rows.push([(step * perStep).toLocaleString("en"), mib(kib), mib(memoryKib(worker.pid, "now"))]);
  }
  const growth = (readings.at(-1) ?? Number.NaN) / (readings[0] ?? Number.NaN);
  const total = (steps * perStep).toLocaleString("en");
  return {
    goals: [
      {
        what: `server memory after ${total} small requests / after the first ${perStep.toLocaleString("en")}`,
        measured: `${growth.toFixed(2)} ×`,
        wanted: `flat: at most ${FLAT} ×`,
        isMet: growth <= FLAT,
      },
    ],
    report: {
      title: "Memory",
      method: `${total} small chat requests through one server and one worker, ${CONCURRENCY} at a time. Resident memory is read after each ${perStep.toLocaleString("en")}.`,
      tables: [{ head: ["requests so far", "server MiB", "worker MiB"], rows }],
    },
  };
}

function mib(kib: number): string {
  return (kib / 1024).toFixed(1);
}
