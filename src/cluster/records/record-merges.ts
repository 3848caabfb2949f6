/** Joins two versions of a record, of which one was known here and the bucket has the other. */
export type RecordMerge = (key: string, own: string, other: string) => string;

/** How versions of records are joined, by the beginning of their keys. */
export class RecordMerges {
  readonly #merges: { readonly prefix: string; readonly merge: RecordMerge }[] = [];

  set(prefix: string, merge: RecordMerge): void {
    this.#merges.push({ prefix, merge });
  }

  /** Whether versions of the record can be joined. */
  has(key: string): boolean {
    return this.#of(key) !== undefined;
  }

  /** Joins two versions of a record. Returns `otherwise` if one was removed, or there is no way to join them. */
  join(
    key: string,
    own: string | undefined,
    other: string | undefined,
    otherwise: string | undefined,
  ): string | undefined {
    if (own === undefined || other === undefined || own === other) return otherwise;
    return this.#of(key)?.(key, own, other) ?? otherwise;
  }

  #of(key: string): RecordMerge | undefined {
    return this.#merges.find(({ prefix }) => key.startsWith(prefix))?.merge;
  }
}
