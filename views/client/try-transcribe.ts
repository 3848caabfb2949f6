import { assertOk, messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { eventsOf } from "./events.ts";
import { bytes } from "./format.ts";
import { settledModel } from "./model-choice.ts";
import { hearingModel, type ModelRow } from "./model-kinds.ts";
import { askedModel, listOf, type PanelTools } from "./playground.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

interface TranscriptEvent {
  readonly type?: string;
  readonly delta?: string;
  readonly text?: string;
  readonly error?: { readonly message?: string };
}

/** Transcribes a file or a recording. */
export function createTranscribe({ pool, route }: PanelTools) {
  return () => {
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
      /** Whether the sound was recorded here, so that only this page has it. */
      isRecorded: false,
      /** The address of the sound inside this page; empty without one. */
      sound: "",
      problem: "",
      choices(): readonly ModelRow[] {
        return listOf<ModelRow>(pool(), "asr", "models");
      },
      settle(): void {
        const likely = hearingModel(this.choices().map(({ name }) => name));
        const asked = askedModel(route(), "speech") ?? likely;
        this.model = settledModel(this.choices(), { chosen: this.model, asked });
      },
      status(): string {
        if (this.isRecording) return "Recording…";
        return this.isRunning ? "Transcribing…" : "";
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
        const input = event.target as HTMLInputElement; // bound to a file input
        const [file] = input.files ?? [];
        if (file) this.take(file, false);
        // The text beside it says what will be sent, and the same file may be chosen again.
        input.value = "";
      },
      remove(): void {
        audio = undefined;
        URL.revokeObjectURL(this.sound);
        Object.assign(this, { fileName: "", fileText: "", sound: "", isRecorded: false });
      },
      take(file: File, isRecorded: boolean): void {
        this.remove();
        audio = file;
        Object.assign(this, { sound: URL.createObjectURL(file), isRecorded });
        this.fileName = file.name;
        this.fileText = `${file.name}, ${bytes(file.size)}`;
      },
      canSend(): boolean {
        return (
          this.choices().some(({ name }) => name === this.model) &&
          this.fileText !== "" &&
          !this.isRunning &&
          !this.isRecording
        );
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
            this.take(new File(parts, `recording.${type.includes("mp4") ? "mp4" : "webm"}`, { type }), true);
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
  };
}
