// Runs before the page is drawn. It is a script and no module, so that the page does not flash.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset["theme"] = chosen;
  // A sign-in leads through other addresses and would lose the hash. The dashboard takes it from here.
  if (location.hash !== "") sessionStorage.setItem("place", location.hash);
}
