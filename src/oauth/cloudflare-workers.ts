/**
 * Stands in for a class of Cloudflare's runtime, which `@cloudflare/workers-oauth-provider` imports. The library only tests with it
 * whether a handler is a class of that kind, and this server gives it no handlers.
 */
export class WorkerEntrypoint {}
