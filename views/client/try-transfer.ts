import { assertOk, messageOf } from "./answers.ts";
import { curlLine, quoted } from "./curl.ts";
import { bytes, percent } from "./format.ts";
import { listOf, type PanelTools } from "./playground.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

/** A transfer that passes bytes, in the State API. */
interface Flow {
  /** The first characters of the channel's id. */
  readonly channel: string;
  readonly bytes: number | null;
}

/** Sends a file through a channel to the person who runs the command that is shown. */
export function createTransfer({ pool }: PanelTools) {
  return () => {
    let file: File | undefined;
    let upload: XMLHttpRequest | undefined;
    return {
      fileName: "",
      fileText: "",
      channel: "",
      sent: 0,
      size: 0,
      ended: "",
      isRunning: false,
      problem: "",
      choose(event: Event): void {
        [file] = (event.target as HTMLInputElement).files ?? []; // bound to a file input
        this.fileName = file?.name ?? "";
        this.fileText = file ? `${file.name}, ${bytes(file.size)}` : "";
      },
      /** The command for the other side. */
      curl(): string {
        const url = `${location.origin}/api/transfer/${this.channel === "" ? "CHANNEL" : this.channel}`;
        return curlLine({ url, flags: `-f -o ${quoted(this.fileName || "file")}`, bearerVariable: keyVariable() });
      },
      needsKey(): boolean {
        return keyVariable() !== undefined;
      },
      /** The transfer in the state of the server; it is there while somebody reads. */
      flow(): Flow | undefined {
        if (this.channel === "") return undefined;
        return listOf<Flow>(pool(), "transfer", "active").find(({ channel }) => this.channel.startsWith(channel));
      },
      isPassing(): boolean {
        return this.flow() !== undefined;
      },
      /** Bytes that the other side has. Where the server does not see them, those that have left the browser. */
      passed(): number {
        return this.flow()?.bytes ?? this.sent;
      },
      progress(): number {
        return percent(this.passed(), this.size);
      },
      status(): string {
        if (!this.isRunning) return this.ended;
        if (this.channel === "") return "Opening a channel…";
        return this.isPassing() ? "Sending, as fast as the other side takes it…" : "Waiting for the other side.";
      },
      async send(): Promise<void> {
        if (!file) return;
        Object.assign(this, { isRunning: true, problem: "", ended: "", channel: "", sent: 0, size: file.size });
        try {
          const headers = await apiHeaders();
          const created = await assertOk(await fetch("/api/transfer", { method: "POST", headers }));
          this.channel = ((await created.json()) as { channel_id: string }).channel_id; // what the API promises
          await this.put(`/api/transfer/${this.channel}`, headers, file);
          Object.assign(this, { ended: "The other side has all of it.", channel: "" });
        } catch (error) {
          this.problem = messageOf(error);
          if (this.problem !== "") this.channel = "";
        } finally {
          this.isRunning = false;
        }
      },
      /** Uploads with XMLHttpRequest, because `fetch` reports no progress. */
      put(url: string, headers: Record<string, string>, body: File): Promise<void> {
        return new Promise((resolve, reject) => {
          upload = new XMLHttpRequest();
          upload.open("PUT", url);
          for (const [name, value] of Object.entries(headers)) upload.setRequestHeader(name, value);
          upload.upload.addEventListener("progress", ({ loaded }) => {
            this.sent = loaded;
          });
          upload.addEventListener("load", () => {
            assertOk(new Response(upload?.responseText, { status: upload?.status ?? 500 })).then(
              () => resolve(),
              reject,
            );
          });
          upload.addEventListener("error", () => reject(new TypeError("the connection broke")));
          upload.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
          upload.send(body);
        });
      },
      stop(): void {
        upload?.abort();
        // The command would wait for a writer that is gone.
        Object.assign(this, { isRunning: false, channel: "", ended: "Stopped. The channel closes by itself." });
      },
    };
  };
}
