/** The WebSocket subprotocol that chooses the native dialect (docs/protocol.md). */
export const NATIVE_PROTOCOL = "moorage.v1";
