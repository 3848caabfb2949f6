import type { Wire } from "../tunnel/dialect.ts";
import type { Lane } from "../tunnel/exchange.ts";
import { declaredLength } from "../wire/declared-length.ts";
import type { HeaderPairs, RequestHead } from "../wire/heads.ts";
import { Base64Text } from "./base64-text.ts";
import type { Occupant, RequestRoom } from "./request-room.ts";

export function encodeLegacyRequest(id: number, head: RequestHead, body: Uint8Array): string {
  return JSON.stringify({
    ...toFields(id, head),
    body: body.length > 0 ? Buffer.from(body.buffer, body.byteOffset, body.length).toString("base64") : undefined,
  });
}

export function encodeLegacyCancel(id: number): string {
  return JSON.stringify({ type: "http_proxy_cancel", request_id: String(id) });
}

/** The beginning of a message whose body comes first, so that the other fields can be written when all is known. */
const BODY_FIRST = '{ "body":"';
/** Room for a body that does not declare its length. It grows as needed. */
const UNDECLARED_BYTES = 256 * 1024;

/**
 * The lane of one request to an agent, which takes a request as one message. A body that arrives in pieces is encoded as it
 * arrives, and sent as a binary message: agents do not look at a message's type (checked in every release up to v0.9.6), and
 * text would cost one more copy of the whole.
 */
export class LegacyLane implements Lane, Occupant {
  readonly #id: number;
  readonly #wire: Wire;
  readonly #room: RequestRoom;
  #head: RequestHead | undefined;
  #text: Base64Text | undefined;
  #isSent = false;

  constructor(id: number, wire: Wire, room: RequestRoom) {
    this.#id = id;
    this.#wire = wire;
    this.#room = room;
  }

  hasRoom(): boolean {
    return this.#wire.hasRoom() && (this.#head === undefined || this.#room.hasRoomFor(this));
  }

  onRoom(): void {
    this.#wire.resume(this.#id);
  }

  request(head: RequestHead, body: Uint8Array, end: boolean): void {
    this.#head = head;
    if (end) return this.#send(encodeLegacyRequest(this.#id, head, body));
    this.#room.occupy(this, 0);
    this.data(body, end);
  }

  data(body: Uint8Array, end: boolean): void {
    if (!this.#head) return;
    if (body.length > 0) {
      this.#text ??= new Base64Text(BODY_FIRST, declaredLength(this.#head.headers) ?? UNDECLARED_BYTES);
      this.#text.push(body);
      this.#room.occupy(this, this.#text.bytes);
    }
    if (!end) return;
    const fields = JSON.stringify(toFields(this.#id, this.#head));
    const message = this.#text ? this.#text.finish(`",${fields.slice(1)}`) : fields;
    this.leave();
    this.#send(message);
  }

  credit(): void {}

  reset(): boolean {
    this.leave();
    if (this.#isSent) this.#wire.send(encodeLegacyCancel(this.#id));
    return this.#isSent;
  }

  /** Drops what was collected. It may be called at any time, and more than once. */
  leave(): void {
    this.#text = undefined;
    this.#room.leave(this);
  }

  #send(message: string | Uint8Array): void {
    this.#isSent = true;
    this.#wire.send(message);
  }
}

/** Returns the fields of a request without its body. */
function toFields(id: number, head: RequestHead): object {
  return {
    type: "http_proxy_request",
    request_id: String(id),
    method: head.method,
    path: head.path,
    headers: toRecord(head.headers),
    stream: head.stream === true ? true : undefined,
  };
}

function toRecord(headers: HeaderPairs): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  // The form has one value for each name. RFC 9110 §5.3 allows joining repeated headers.
  for (const [name, value] of headers) record[name] = name in record ? `${record[name]}, ${value}` : value;
  return record;
}
