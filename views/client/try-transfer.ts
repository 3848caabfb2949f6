import { assertOk, messageOf } from "./answers.ts";
import { curlLine, quoted } from "./curl.ts";
import { bytes, percent } from "./format.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

/** Sends a file through a channel to the person who runs the command that is shown. */
export function createTransfer() {
  let file: File | undefined;
  let upload: XMLHttpRequest | undefined;
  return {
    fileName: "",
    fileText: "",
    channel: "",
    sent: 0,
    size: 0,
    status: "",
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
    progress(): number {
      return percent(this.sent, this.size);
    },
    async send(): Promise<void> {
      if (!file) return;
      Object.assign(this, { isRunning: true, problem: "", status: "", sent: 0, size: file.size });
      try {
        const headers = await apiHeaders();
        const created = await assertOk(await fetch("/api/transfer", { method: "POST", headers }));
        this.channel = ((await created.json()) as { channel_id: string }).channel_id; // what the API promises
        this.status = "Waiting for the reader. Run this command on the other machine:";
        await this.put(`/api/transfer/${this.channel}`, headers, file);
        this.status = "The transfer is complete.";
      } catch (error) {
        this.problem = messageOf(error);
        if (this.problem !== "") this.status = "";
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
          this.status = "Sending, as fast as the reader takes it…";
        });
        upload.addEventListener("load", () => {
          assertOk(new Response(upload?.responseText, { status: upload?.status ?? 500 })).then(() => resolve(), reject);
        });
        upload.addEventListener("error", () => reject(new TypeError("the connection broke")));
        upload.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
        upload.send(body);
      });
    },
    stop(): void {
      upload?.abort();
      // The command would wait for a writer that is gone.
      Object.assign(this, { isRunning: false, channel: "", status: "Stopped. The channel closes by itself." });
    },
  };
}
