/** A made key or join token, whole or cut off within its secret. The part before the secret is shown anyway. */
const MADE = /(m[kj]_[0-9a-z]{4})[0-9a-z]{8}_[0-9A-Za-z]+(?:_[0-9A-Za-z]*)?/gi;
/** Shorter keys may be words of their own, and masking them would make lines unreadable. The server warns of such keys. */
const MIN_CHARS = 12;

/**
 * Takes keys out of text that is written down, such as log lines and the audit trail. People paste keys where ids and names
 * belong, and programs send them there.
 */
export class KeyMask {
  #configured: RegExp | undefined;

  /** Sets the keys that are masked beside made ones, which are known by their form. */
  setKeys(keys: readonly string[]): void {
    const long = keys.filter((key) => key.length >= MIN_CHARS);
    // In a line of JSON, quotes and backslashes are written differently.
    const forms = new Set(long.flatMap((key) => [key, JSON.stringify(key).slice(1, -1)]));
    // Of two keys, one of which begins with the other, the longer one counts.
    const sorted = [...forms].sort((a, b) => b.length - a.length);
    this.#configured =
      sorted.length === 0 ? undefined : new RegExp(sorted.map((each) => RegExp.escape(each)).join("|"), "g");
  }

  /** Returns the text with `mk_7f3k…` for a made key, and `[key]` for another one. */
  apply(text: string): string {
    const masked = maskMadeKeys(text);
    return this.#configured === undefined ? masked : masked.replace(this.#configured, "[key]");
  }
}

/** Returns the text with `mk_7f3k…` for each made key. */
export function maskMadeKeys(text: string): string {
  return text.replace(MADE, "$1…");
}

/** Whether a text contains a made key, so that it must not be kept as a name. */
export function hasMadeKey(text: string): boolean {
  return text.search(MADE) !== -1;
}
