// Adds a button to each snippet that copies it.
"use strict";

const chinese = document.documentElement.lang.startsWith("zh");
const [copy, copied, failed] = chinese ? ["复制", "已复制", "请手动复制"] : ["Copy", "Copied", "Select and copy it"];

for (const snippet of document.querySelectorAll(".copied")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = copy;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(snippet.querySelector("pre").textContent);
      button.textContent = copied;
    } catch {
      button.textContent = failed;
    }
    setTimeout(() => (button.textContent = copy), 2000);
  });
  snippet.append(button);
}
