// Keeps the JSON of the state page fresh, from the stream.
const link = document.getElementById("link");
const source = new EventSource("/api/state/stream");

source.addEventListener("open", () => {
  link.textContent = "live";
});
source.addEventListener("error", () => {
  // A browser gives up for good on any answer but an event stream: then the sign-in has ended.
  link.textContent =
    source.readyState === EventSource.CLOSED ? "not connected; reload to sign in again" : "connecting…";
});
source.addEventListener("message", (event) => {
  const { plugins } = JSON.parse(event.data);
  for (const pre of document.querySelectorAll("pre[data-plugin]")) {
    const state = plugins[pre.dataset.plugin];
    // textContent: workers choose the names in there.
    if (state !== undefined) pre.textContent = JSON.stringify(state, null, 2);
  }
});
