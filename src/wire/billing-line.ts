/**
 * The beginning of the line that Claude Code puts at the beginning of its system prompt, in a block of its own:
 * `x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch=36ee5;`. Some of it changes with each request,
 * and it says nothing to the model.
 */
export const BILLING_LINE = "x-anthropic-billing-header:";

/** Returns a text without the billing line at its beginning. */
export function withoutBillingLine(text: string): string {
  if (!text.startsWith(BILLING_LINE)) return text;
  const end = text.indexOf("\n");
  return end < 0 ? "" : text.slice(end + 1);
}
