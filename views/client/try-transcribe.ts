import { assertOk, messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { eventsOf } from "./events.ts";
import { bytes } from "./format.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

interface TranscriptEvent {
  readonly type?: string;
  readonly delta?: string;
  readonly text?: string;
  readonly error?: { readonly message?: string };
}

/** Transcribes a file or a recording. */
export function createTranscribe() {
  let recorder: MediaRecorder | undefined;
  let stopper: AbortController | undefined;
  let audio: File | undefined;
  return {
    model: "",
    fileName: "",
    fileText: "",
    text: "",
    isRunning: false,
    isRecording: false,
    problem: "",
    suggested(models: readonly { readonly name: string }[]): string {
      return models[0]?.name ?? "";
    },
    curl(): string {
      return curlLine({
        url: `${location.origin}/v1/audio/transcriptions`,
        method: "POST",
        flags: "-N",
        bearerVariable: keyVariable(),
        form: [`file=@${this.fileName || "speech.wav"}`, `model=${this.model}`, "stream=true"],
      });
    },
    choose(event: Event): void {
      const [file] = (event.target as HTMLInputElement).files ?? []; // bound to a file input
      if (file) this.take(file);
    },
    take(file: File): void {
      audio = file;
      this.fileName = file.name;
      this.fileText = `${file.name}, ${bytes(file.size)}`;
    },
    canSend(): boolean {
      return this.model !== "" && this.fileText !== "" && !this.isRunning && !this.isRecording;
    },
    async record(): Promise<void> {
      if (this.isRecording) return recorder?.stop();
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
        const parts: Blob[] = [];
        recorder = new MediaRecorder(stream);
        recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
        recorder.addEventListener("stop", () => {
          for (const track of stream.getTracks()) track.stop();
          this.isRecording = false;
          const type = recorder?.mimeType ?? "audio/webm";
          this.take(new File(parts, `recording.${type.includes("mp4") ? "mp4" : "webm"}`, { type }));
        });
        recorder.start();
        this.isRecording = true;
        this.problem = "";
      } catch {
        this.problem = "The microphone is not available: the browser or the system does not allow it here.";
      }
    },
    async send(): Promise<void> {
      if (!audio) return;
      Object.assign(this, { isRunning: true, problem: "", text: "" });
      stopper = new AbortController();
      try {
        const form = new FormData();
        // The model comes first, so that the server can choose a worker before the file has arrived.
        form.append("model", this.model);
        form.append("stream", "true");
        form.append("file", audio);
        const init = { method: "POST", headers: await apiHeaders(), body: form, signal: stopper.signal };
        const response = await assertOk(await fetch("/v1/audio/transcriptions", init));
        const type = response.headers.get("content-type") ?? "";
        if (!type.startsWith("text/event-stream")) {
          const { text } = (await response.json()) as TranscriptEvent; // what the API promises of an answer in one piece
          this.text = text ?? "";
          return;
        }
        for await (const data of eventsOf(response)) {
          if (data === "[DONE]") break;
          const event = JSON.parse(data) as TranscriptEvent; // the API's events; others are passed over
          if (event.error) throw new Error(event.error.message ?? "the transcription failed");
          if (event.type === "transcript.text.delta") this.text += event.delta ?? "";
          if (event.type === "transcript.text.done") this.text = event.text ?? this.text;
        }
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        this.isRunning = false;
      }
    },
    stop(): void {
      stopper?.abort();
    },
  };
}
