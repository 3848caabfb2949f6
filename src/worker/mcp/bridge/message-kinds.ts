import type {
  JSONRPCErrorResponse,
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from "@modelcontextprotocol/server";

// The kinds of messages that have been checked where they came in. The SDK's own functions check a message whole, which takes 5
// to 10 µs each time, and a call is looked at a dozen times on its way.

export function isRequest(message: JSONRPCMessage): message is JSONRPCRequest {
  return "method" in message && "id" in message;
}

export function isNotification(message: JSONRPCMessage): message is JSONRPCNotification {
  return "method" in message && !("id" in message);
}

export function isResponse(message: JSONRPCMessage): message is JSONRPCResponse {
  return !("method" in message);
}

export function isErrorResponse(message: JSONRPCResponse): message is JSONRPCErrorResponse {
  return "error" in message;
}
