// Pictures for a chat, made small enough that a conversation with some of them stays a request of ordinary size.

/** The most pictures of one message. */
export const MAX_PICTURES = 4;
/** The longest side in pixels. Models scale larger pictures down anyway. */
const MAX_SIDE = 1024;
const QUALITY = 0.85;
/** The largest file that is read. */
const MAX_FILE_BYTES = 50 * 1024 * 1024;

/** Returns a picture as a data URL. Rejects for a file that is none that the browser knows, and for a huge one. */
export async function toDataUrl(file: File): Promise<string> {
  if (file.size > MAX_FILE_BYTES) throw new Error(`${file.name} is larger than 50 MiB.`);
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name} is not a picture that this browser can read.`);
  });
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("This browser cannot draw pictures.");
  // JPEG has no transparency, which would become black.
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", QUALITY);
}
