const AMOUNT = /^(\d{1,15}(?:\.\d{1,6})?)\s?([kmgb])?$/i;
const SCALES: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, b: 1e9 };

/**
 * Returns the number that a written amount stands for: `500`, `20k`, `2M`, `1.5B`. Steps are thousands, and a billion is `G`
 * or `B`. Undefined for anything else, and for a number that is not whole.
 */
export function parseAmount(text: string): number | undefined {
  const match = AMOUNT.exec(text.trim());
  if (!match) return undefined;
  const scale = SCALES[match[2]?.toLowerCase() ?? ""] ?? 1;
  // Rounding removes what binary fractions add: 1.001 × 1000 is 1000.9999999999999.
  const amount = Number((Number(match[1]) * scale).toFixed(6));
  return Number.isSafeInteger(amount) ? amount : undefined;
}
