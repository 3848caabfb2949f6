import { describe, expect, test } from "bun:test";
import { readWav } from "../../../src/demo/wav.ts";

type Chunk = readonly [name: string, body: Uint8Array, statedSize?: number];

/** A RIFF file of these chunks, padded to even offsets as they must be. */
function riff(chunks: readonly Chunk[], form = "WAVE"): Uint8Array {
  const parts = chunks.flatMap(([name, body, size = body.length]) => [
    Buffer.from(name),
    u32(size),
    body,
    Buffer.alloc(body.length % 2),
  ]);
  const rest = Buffer.concat([Buffer.from(form), ...parts]);
  return Buffer.concat([Buffer.from("RIFF"), u32(rest.length), rest]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function format({ code = 1, channels = 1, rate = 16_000, bits = 16, extra = Buffer.alloc(0) } = {}): Chunk {
  const body = Buffer.alloc(16);
  const frame = (channels * bits) / 8;
  body.writeUInt16LE(code, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt32LE(rate * frame, 8);
  body.writeUInt16LE(frame, 12);
  body.writeUInt16LE(bits, 14);
  return ["fmt ", Buffer.concat([body, extra])];
}

const second = new Uint8Array(32_000);

test("the recording in the guide is two seconds long and of speech quality", async () => {
  const file = Bun.file(new URL("../../../docs/sample.wav", import.meta.url));
  expect(file.size).toBeLessThanOrEqual(80 * 1024);
  expect(readWav(await file.bytes())).toEqual({ channels: 1, sampleRate: 16_000, seconds: 2.13 });
});

describe("a PCM recording", () => {
  test("has the duration given by its sound bytes and its format", () => {
    expect(readWav(riff([format(), ["data", second]]))).toEqual({ channels: 1, sampleRate: 16_000, seconds: 1 });
    const stereo = format({ channels: 2, rate: 44_100, bits: 24 });
    expect(readWav(riff([stereo, ["data", new Uint8Array(6 * 22_050)]]))?.seconds).toBe(0.5);
    expect(readWav(riff([format({ code: 3, bits: 32, rate: 8000 }), ["data", second]]))?.seconds).toBe(1);
  });

  test("may have other chunks before its sound, even of odd size", () => {
    const notes: Chunk = ["LIST", Buffer.from("INFO!")];
    expect(readWav(riff([notes, format(), ["fact", u32(1)], notes, ["data", second]]))?.seconds).toBe(1);
  });

  test("of the extensible kind is read by its extension", () => {
    const extra = (code: number): Buffer<ArrayBuffer> =>
      Buffer.concat([Buffer.alloc(8), Buffer.from([code]), Buffer.alloc(15)]);
    const wav = (code: number): Uint8Array => riff([format({ code: 0xfffe, extra: extra(code) }), ["data", second]]);
    expect(readWav(wav(1))?.seconds).toBe(1);
    expect(readWav(wav(6))).toBeUndefined();
  });

  test.each([0, 0xffff_ffff, 64_000])("whose stated size is %d ends where the file ends", (size) => {
    expect(readWav(riff([format(), ["data", second, size]]))?.seconds).toBe(1);
  });

  test("is read from the middle of a larger buffer", () => {
    const padded = Buffer.concat([Buffer.alloc(7), riff([format(), ["data", second]])]);
    expect(readWav(padded.subarray(7))?.seconds).toBe(1);
  });
});

test("a file that is no PCM recording, or is incomplete, has no duration", () => {
  const whole = riff([format(), ["data", second]]);
  const odd: readonly Uint8Array[] = [
    new Uint8Array(0),
    Buffer.from("ID3 an mp3"),
    Buffer.from("RIFF"),
    riff([format(), ["data", second]], "AVI "),
    riff([["data", second], format()]),
    riff([format({ code: 0x55 }), ["data", second]]),
    riff([format({ channels: 0 }), ["data", second]]),
    riff([format({ rate: 0 }), ["data", second]]),
    riff([
      ["fmt ", new Uint8Array(4)],
      ["data", second],
    ]),
    riff([
      ["fmt ", new Uint8Array(16), 0xffff_fff0],
      ["data", second],
    ]),
    riff([...Array.from({ length: 100 }, (): Chunk => ["junk", new Uint8Array(0)]), format(), ["data", second]]),
    whole.subarray(0, 43),
    whole.subarray(0, 20),
  ];
  expect(odd.map((bytes) => readWav(bytes))).toEqual(odd.map(() => undefined));
});
