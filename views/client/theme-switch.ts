/** The theme: the system's until the viewer chooses one, which this browser remembers. */
export function createThemeSwitch() {
  return {
    isDark: isDarkNow(),
    toggle(): void {
      this.isDark = !this.isDark;
      const theme = this.isDark ? "dark" : "light";
      document.documentElement.dataset["theme"] = theme;
      localStorage.setItem("theme", theme);
      document.dispatchEvent(new Event("themechange"));
    },
  };
}

function isDarkNow(): boolean {
  const chosen = document.documentElement.dataset["theme"];
  return chosen === undefined ? matchMedia("(prefers-color-scheme: dark)").matches : chosen === "dark";
}
