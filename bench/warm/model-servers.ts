import { join } from "node:path";
import { PYTHON, PYTHON_PACKAGES } from "../../tests/real/environment.ts";
import type { Children, Helper } from "../children.ts";

/** Model servers that keep the prompts of their last requests. */
export interface ModelServers {
  readonly kind: string;
  readonly model: string;
  readonly backends: readonly Pick<Helper, "greeting">[];
}

const PROGRAMS = join(import.meta.dir, "../../tests/real/programs");
/** Tokens that one slot of a server remembers. */
const CONTEXT_PER_SLOT = 16_384;
/** Memory for prompts that no slot holds any more. Without it, what a server remembers depends on its slots alone. */
const CACHE_MIB = 0;

/** Starts `count` servers: llama.cpp if its package is installed (`bun run test:real` does that), else a scripted one. */
export async function startModelServers(children: Children, count: number, slots: number): Promise<ModelServers> {
  const each = <T>(start: (at: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, at) => start(at)));
  if (!PYTHON_PACKAGES.isThere()) {
    const backends = await each(() => children.helper("warm/prefix-backend.ts", [String(slots)]));
    return { kind: "a scripted backend with a prefix cache", model: "bench-chat", backends };
  }
  const file = join(children.directory, "model.gguf");
  const model = "harbour";
  const made = await children.run([PYTHON, join(PROGRAMS, "make_model.py"), file]);
  if (made.exitCode !== 0) throw new Error(`the model was not made: ${made.stderr.slice(-1000)}`);
  const args = [file, model, "chat", slots, slots * CONTEXT_PER_SLOT, 0, CACHE_MIB].map(String);
  const servers = await each(() =>
    children.other([PYTHON, join(PROGRAMS, "llama_server.py"), ...args], "listening http"),
  );
  const backends = servers.map(({ line }) => ({ greeting: { url: /http\S+/.exec(line)?.[0] ?? "" } }));
  return { kind: "llama.cpp", model, backends };
}
