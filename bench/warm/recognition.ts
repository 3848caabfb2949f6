import { PrefixTable } from "../../src/affinity/prefix-table.ts";
import { PromptAffinity } from "../../src/affinity/prompt-affinity.ts";
import { spread } from "../numbers.ts";
import type { Goal, Table } from "../report.ts";

const KIB = 1024;
const SIZES = [1, 10, 125, 1024].map((kib) => kib * KIB);
const HASHES = 50_000;
const MOST_MIB = 8;
/** Enough requests of each size for a round of some milliseconds. */
const BYTES_PER_ROUND = 8 * KIB * KIB;
const MOST_REQUESTS = 2000;
const ROUNDS = 5;

const HEADERS = new Headers({ "content-type": "application/json", "user-agent": "bench", accept: "*/*" });
const decoder = new TextDecoder();

/** A conversation of so many bytes, with the escapes that code and quotations have. */
function conversation(bytes: number): Uint8Array {
  const messages = [{ role: "system", content: "You are a helpful assistant. ".repeat(10) }];
  const text = 'if (name === "fox") {\n\treturn "brown";\n}\n'.repeat(50);
  for (let size = 400; size < bytes; size += 2000)
    messages.push({ role: messages.length % 2 === 1 ? "user" : "assistant", content: text.slice(0, bytes - size) });
  return new TextEncoder().encode(JSON.stringify({ model: "m", stream: true, messages }));
}

/** Measures what it costs to recognize a request and to remember its worker, beside parsing its body. */
export function measureRecognition(): Table {
  const rows = SIZES.map((bytes) => {
    const body = conversation(bytes);
    const parsed = JSON.parse(decoder.decode(body)) as Record<string, unknown>; // As it was written above.
    const prompts = new PromptAffinity(
      () => 0,
      () => "secret",
    );
    const request = { tenant: "default", caller: "api-key:1", model: "m", path: "/chat/completions" };
    const recognize = (): void => {
      const affinity = prompts.of({ ...request, headers: HEADERS, body: parsed });
      affinity?.candidates("m");
      affinity?.sent("session");
    };
    const parse = (): void => void JSON.parse(decoder.decode(body));
    const count = Math.max(10, Math.min(MOST_REQUESTS, Math.floor(BYTES_PER_ROUND / bytes)));
    const [recognized, parsing] = [timed(recognize, count), timed(parse, count)];
    return [`${bytes / KIB} KiB`, spread(recognized, 1), spread(parsing, 1)];
  });
  return { head: ["request", "recognized, µs", "parsed, µs"], rows };
}

/** Microseconds per call, one value per round after the first. */
function timed(call: () => void, count: number): number[] {
  const us: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const startedAt = Bun.nanoseconds();
    for (let at = 0; at < count; at += 1) call();
    if (round > 0) us.push((Bun.nanoseconds() - startedAt) / count / 1000);
  }
  return us;
}

/** Fills the table of prompts twice over and states its memory. */
export function measureTable(): Goal {
  const table = new PrefixTable(HASHES, 600_000);
  for (let at = 0; at < 2 * HASHES; at += 1) table.learn(Bun.hash.xxHash64(`${at}`), 1 + (at % 100), at);
  const mib = table.bytes / KIB / KIB;
  return {
    what: `memory of the table of prompts, with ${table.size} hashes`,
    measured: `${table.bytes} bytes`,
    wanted: `at most ${MOST_MIB} MiB`,
    isMet: table.size === HASHES && mib <= MOST_MIB,
  };
}
