// Sets the theme that was chosen before the page is drawn: a script of its own and no module, so that nothing flashes.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
}
