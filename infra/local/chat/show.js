// Messages as elements of the page.

import { money, word } from "./words.js";

const markdown = window.markdownit({ html: false, linkify: false, breaks: true }).disable("image");
const plainLink = markdown.renderer.rules.link_open ?? ((tokens, at, options, _, self) => self.renderToken(tokens, at, options));
markdown.renderer.rules.link_open = (tokens, at, ...rest) => {
  tokens[at].attrSet("target", "_blank");
  tokens[at].attrSet("rel", "noopener noreferrer");
  return plainLink(tokens, at, ...rest);
};
// Wide code scrolls, so it can be reached by the keyboard.
const plainFence = markdown.renderer.rules.fence;
markdown.renderer.rules.fence = (...parts) => plainFence(...parts).replace("<pre>", '<pre tabindex="0">');

/** An element with attributes and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const button = (text, onclick, more = {}) => element("button", { type: "button", onclick, ...more }, text);

function body(message) {
  const made = element("div", { class: "text" });
  if (message.role === "assistant") made.innerHTML = markdown.render(message.content);
  else made.textContent = message.content;
  return made;
}

function note(message) {
  const used = message.usage;
  const parts = [];
  if (message.status === "stopped") parts.push(word("stopped"));
  if (message.status === "error") parts.push(word("interrupted"));
  if (used) parts.push(word("cost", money(used.cost_usd), used.input + used.output, message.provider_model ?? message.model));
  return element("p", { class: "note" }, parts.join(" · "));
}

/** A message of the path, with what can be done about it. */
export function article({ message, number, count }, can) {
  const isAnswer = message.role === "assistant";
  const actions = element("div", { class: "actions" });
  if (count > 1) {
    const where = element("span", { "aria-label": word("version", number, count) }, `${number}/${count}`);
    actions.append(
      button("‹", () => can.turn(message, -1), { "aria-label": word("previous"), disabled: number === 1 }),
      where,
      button("›", () => can.turn(message, 1), { "aria-label": word("next"), disabled: number === count }),
    );
  }
  if (message.status !== "streaming") {
    const copy = button(word("copy"), async () => {
      await navigator.clipboard.writeText(message.content);
      copy.textContent = word("copied");
    });
    // Browsers have a clipboard for pages of this machine and of HTTPS alone.
    if (navigator.clipboard) actions.append(copy);
    if (isAnswer) actions.append(button(word("again"), () => can.again(message)));
    else actions.append(button(word("edit"), () => can.edit(message)));
  }
  const who = element("h2", {}, word(isAnswer ? "assistant" : "you"));
  const made = element("article", { class: isAnswer ? "answer" : "question", "data-id": message.id }, who, body(message));
  if (isAnswer && message.status !== "streaming") made.append(note(message));
  made.append(actions);
  return made;
}

/** A form in the place of a question, to edit it. */
export function editor(text, done) {
  const field = element("textarea", { "aria-label": word("question"), rows: "3" });
  field.value = text;
  const save = element("button", { type: "submit" }, word("send"));
  const form = element("form", { class: "editor" }, field, save, button(word("cancel"), () => done(null), { class: "plain" }));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim()) done(field.value);
  });
  return form;
}
