import { Fault } from "../errors.ts";
import { membersOf } from "../json/scan.ts";
import type { Claim } from "../pool/claim.ts";

/** Returns a client's JSON as its worker takes it: unchanged, unless the worker has another name for the model. */
export function bodyFor({ sentAs }: Pick<Claim, "sentAs">, model: string, body: Uint8Array): Uint8Array {
  return sentAs === model ? body : withModel(body, sentAs);
}

/** Returns a JSON body with another model's name in it. */
export function withModel(body: Uint8Array, model: string): Uint8Array {
  const range = membersOf(body)?.get("model");
  if (!range) throw new Fault("invalid_request", { param: "model" });
  return Buffer.concat([body.subarray(0, range.start), Buffer.from(JSON.stringify(model)), body.subarray(range.end)]);
}
