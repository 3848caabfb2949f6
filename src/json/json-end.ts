const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Follows JSON that arrives in pieces and knows whether it may end where it stands: every string, array and object that was
 * begun has ended. It counts brackets and does not check the syntax. A number or a word that was cut cannot be noticed.
 */
export class JsonEnd {
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #hasBegun = false;

  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (this.#isInString) {
        if (byte === QUOTE) this.#isInString = false;
        else if (byte === BACKSLASH) this.#isEscaped = true;
      } else if (byte > 0x20) {
        this.#hasBegun = true;
        if (byte === QUOTE) this.#isInString = true;
        // In ASCII these are [ and {, ] and }: the pairs differ by one bit.
        else if ((byte | 0x20) === 0x7b) this.#depth += 1;
        else if ((byte | 0x20) === 0x7d) this.#depth -= 1;
      }
    }
  }

  get mayEnd(): boolean {
    return this.#hasBegun && this.#depth === 0 && !this.#isInString;
  }
}
