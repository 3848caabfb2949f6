// Values that are computed once for each input, although the page reads them many times a second.

/** Returns a function that derives a value from its input, and again only when the input is another one. A list is compared item by item. */
export function once<I, O>(input: () => I, derive: (input: I) => O): () => O {
  let known: { readonly from: I; readonly value: O } | undefined;
  return () => {
    const from = input();
    if (known === undefined || !isSame(known.from, from)) known = { from, value: derive(from) };
    return known.value;
  };
}

/** Returns a function that derives a value once from each object, for as long as the object is in use. */
export function oncePer<I extends object, O>(derive: (input: I) => O): (input: I) => O {
  const known = new WeakMap<I, { readonly value: O }>();
  return (input) => {
    const found = known.get(input) ?? { value: derive(input) };
    known.set(input, found);
    return found.value;
  };
}

function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => item === b[index]);
  return a === b;
}
