/**
 * Gives the page a language that exists. A browser on a machine without one (`LANG=C`) calls its own `en-US@posix`, and every
 * formatter throws for that, among them the one that uPlot makes when it is loaded. MUST be imported before uPlot.
 */
if (!isLanguage(navigator.language)) Object.defineProperty(navigator, "language", { value: "en-US" });

function isLanguage(name: string): boolean {
  try {
    return Intl.getCanonicalLocales(name).length === 1;
  } catch {
    return false; // a RangeError
  }
}
