import type { AudioFormat, Transcript } from "./sample-audio.ts";

export type AudioTask = "transcribe" | "translate";

/** A transcript as the body of an answer, with its content type. */
export function renderTranscript(
  transcript: Transcript,
  format: AudioFormat,
  task: AudioTask,
): { readonly type: string; readonly body: string } {
  const { text, seconds = 0 } = transcript;
  const cues = toCues(transcript);
  switch (format) {
    case "text":
      return { type: "text/plain; charset=utf-8", body: `${text}\n` };
    case "srt": {
      const body = cues.map(
        (cue, index) => `${index + 1}\n${stamp(cue.start, ",")} --> ${stamp(cue.end, ",")}\n${cue.text}\n\n`,
      );
      return { type: "application/x-subrip; charset=utf-8", body: body.join("") };
    }
    case "vtt": {
      const body = cues.map((cue) => `${stamp(cue.start, ".")} --> ${stamp(cue.end, ".")}\n${cue.text}\n\n`);
      return { type: "text/vtt; charset=utf-8", body: `WEBVTT\n\n${body.join("")}` };
    }
    case "json":
      return toJson({ text, ...toUsage(transcript) });
    case "verbose_json": {
      // A real decoder would report these about itself; the sample has no values for them.
      const decoder = { seek: 0, tokens: [], temperature: 0, avg_logprob: 0, compression_ratio: 1, no_speech_prob: 1 };
      const segments = cues.map((cue, id) => ({ id, ...cue, ...decoder }));
      return toJson({ task, language: "english", duration: seconds, text, segments, ...toUsage(transcript) });
    }
    case "diarized_json": {
      const segments = cues.map((cue, index) => ({
        id: `seg_${index}`,
        type: "transcript.text.segment",
        ...cue,
        speaker: "A",
      }));
      return toJson({ task, duration: seconds, text, segments, ...toUsage(transcript) });
    }
  }
}

/** The transcript as the events of a stream, one per word. */
export function* transcriptEvents(transcript: Transcript): Generator<string> {
  const { text } = transcript;
  for (const delta of text.match(/\s*\S+/g) ?? []) yield event({ type: "transcript.text.delta", delta });
  yield event({ type: "transcript.text.done", text, ...toUsage(transcript) });
  yield "data: [DONE]\n\n";
}

interface Cue {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Spreads the sentences evenly over the recording. */
function toCues({ sentences, seconds = 0 }: Transcript): readonly Cue[] {
  const at = (index: number): number => (seconds * index) / sentences.length;
  return sentences.map((text, index) => ({ start: at(index), end: at(index + 1), text }));
}

function toUsage({ seconds }: Transcript): object {
  return seconds === undefined ? {} : { usage: { type: "duration", seconds } };
}

/** Formats a time as `00:00:02,100`: subtitles have a comma before the milliseconds, WebVTT a point. */
function stamp(seconds: number, mark: "," | "."): string {
  return new Date(Math.round(seconds * 1000)).toISOString().slice(11, 23).replace(".", mark);
}

function toJson(value: object): { readonly type: string; readonly body: string } {
  return { type: "application/json", body: JSON.stringify(value) };
}

function event(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}
