// The pages work without this. It adds copy and print buttons, and a live preview to the product
// form.
"use strict";
document.documentElement.classList.add("scripted");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy], [data-print]");
  if (!button) return;
  if ("print" in button.dataset) {
    window.print();
    return;
  }
  const source = document.getElementById(button.dataset.copy);
  const label = button.querySelector("span");
  const said = label.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    label.textContent = button.dataset.done;
  } catch {
    getSelection().selectAllChildren(source);
  }
  setTimeout(() => (label.textContent = said), 2000);
});

for (const shown of document.querySelectorAll("[data-preview]")) {
  const input = document.getElementById(shown.dataset.preview);
  const empty = shown.textContent;
  input?.addEventListener("input", () => (shown.textContent = input.value || empty));
}
