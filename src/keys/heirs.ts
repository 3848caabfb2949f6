import type { KeyBook } from "./key-book.ts";
import { keyIdOfCaller, ownerOfKey, readOwner } from "./key-caller.ts";

/** The most keys in a row that are followed. A worker would have to join again more than ten times a day to have more. */
const MAX_STEPS = 1000;

/**
 * Returns the owner to whom the worker ids of an owner belong now. That is another one if the worker has joined again: the key
 * that has ended its former key inherits all its ids, also those that it has not registered yet. Otherwise it is the owner itself.
 */
export function heirOf(book: Pick<KeyBook, "get">, owner: string): string {
  let id = readOwner(owner)?.id;
  if (id === undefined) return owner;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const heir = heirOfKey(book, id);
    if (heir === undefined) break;
    id = heir;
  }
  return ownerOfKey(id);
}

/** Returns the id of the key that has ended another one by replacing it. */
function heirOfKey(book: Pick<KeyBook, "get">, id: string): string | undefined {
  const heir = keyIdOfCaller(book.get(id)?.revokedBy ?? "");
  return heir !== undefined && book.get(heir)?.replaces === id ? heir : undefined;
}
