import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const SPHINX_MODEL = "pocketsphinx-en-us";
/** Hearing a few words takes a second or two, and a busy machine ten times as long. */
const PROGRAM_TIMEOUT_MS = 25_000;

/** Says `text` into a WAV file of 16000 Hz: one of flite's voices that a recogniser of 2015 understands. */
export function speak(text: string): Promise<File> {
  return inDirectory(async (directory) => {
    const path = join(directory, "speech.wav");
    await run(["flite", "-voice", "rms", "-t", text, "-o", path]);
    return new File([await Bun.file(path).arrayBuffer()], "speech.wav", { type: "audio/wav" });
  });
}

/** An OpenAI-style server before PocketSphinx, which knows no grammar and no list of words but English. */
export function startSphinx(): { readonly url: string; readonly heard: number; stop(): Promise<void> } {
  let heard = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models") return Response.json({ object: "list", data: [{ id: SPHINX_MODEL }] });
      if (request.method !== "POST" || pathname !== "/v1/audio/transcriptions")
        return new Response("not found", { status: 404 });
      const file = (await request.formData()).get("file");
      if (!(file instanceof File)) return Response.json({ error: { message: "no file" } }, { status: 400 });
      heard += 1;
      return Response.json({ text: await hear(file) });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    get heard() {
      return heard;
    },
    stop: () => server.stop(true),
  };
}

function hear(file: File): Promise<string> {
  return inDirectory(async (directory) => {
    const path = join(directory, "heard.wav");
    await Bun.write(path, file);
    return run(["pocketsphinx_continuous", "-infile", path, "-logfn", "/dev/null"]);
  });
}

/** What the program wrote. Rejects when it failed. */
async function run(command: string[]): Promise<string> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: PROGRAM_TIMEOUT_MS });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${err.slice(0, 500)}`);
  return out.trim();
}

async function inDirectory<T>(work: (path: string) => Promise<T>): Promise<T> {
  const path = await mkdtemp(join(tmpdir(), "moorage-speech-"));
  try {
    return await work(path);
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}
