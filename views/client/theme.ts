// Runs before the page is drawn. It is a script and no module, so that the page does not flash.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
  // A sign-in leads through other addresses and would lose the hash. The dashboard takes it from here.
  if (location.hash !== "") sessionStorage.setItem("place", location.hash);

  // Pages without the dashboard's modules have two buttons at most, which are hidden where no script runs.
  const switchTheme = (): void => {
    const { dataset } = document.documentElement;
    const isDark =
      dataset["theme"] === "dark" || (!dataset["theme"] && matchMedia("(prefers-color-scheme: dark)").matches);
    dataset["theme"] = isDark ? "light" : "dark";
    localStorage.setItem("theme", dataset["theme"]);
  };
  const reveal = (button: HTMLElement): void => {
    const field = document.querySelector<HTMLInputElement>("#key");
    if (!field) return;
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(isShown));
  };
  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll<HTMLElement>("[data-does]")) {
      button.hidden = false;
      button.addEventListener("click", button.dataset["does"] === "theme" ? switchTheme : () => reveal(button));
    }
  });
}
