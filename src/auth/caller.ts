/** The part of the server at whose door a caller asks to be let in. */
export type AuthSurface = "api" | "state" | "transfer" | "worker";
