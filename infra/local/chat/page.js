// The page of the chat: what the user does.

import { Problem, all, data, isSignedIn, register, request, signIn, signOut, signedOut } from "./api.js";
import { readAnswer } from "./answer.js";
import { article, editor, element } from "./show.js";
import { Tree } from "./tree.js";
import { word } from "./words.js";

const find = (id) => document.getElementById(id);
const nothing = () => ({ conversation: null, tree: new Tree([]), run: null, reading: null, isStopping: false });
let state = nothing();

/** Says something to those who see the page, and to those who hear it. */
function say(text, kind = "") {
  find("status").textContent = text;
  find("status").dataset.kind = kind;
}

/** Does something; says what went wrong. */
async function tried(work) {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem && error.status === 401) leave();
    else say(word("wrong", error.message), "bad");
    return null;
  }
}

/** Ends the session in the page: nothing of it stays for the next user. */
function leave() {
  state.reading?.abort();
  state = nothing();
  signedOut();
  history.replaceState(null, "", location.pathname + location.search);
  for (const id of ["log", "list", "model"]) find(id).replaceChildren();
  for (const id of ["question", "password", "code", "person", "organization"]) find(id).value = "";
  find("refused").textContent = "";
  say("");
  find("chat").hidden = true;
  find("sign-in").hidden = false;
  find("name").focus();
}

async function enter() {
  const models = await data("/api/models");
  const option = (model) => element("option", { value: model.name, selected: model.default }, model.name);
  find("model").replaceChildren(...models.map(option));
  find("sign-in").hidden = true;
  find("chat").hidden = false;
  await list();
  await open(location.hash.slice(1) || null);
}

/** Shows the list of conversations. */
async function list() {
  const conversations = await data("/api/conversations?limit=100");
  find("list").replaceChildren(...conversations.map((one) => {
    const current = one.id === state.conversation;
    const link = element("a", { href: `#${one.id}`, "aria-current": current ? "page" : null }, one.title || word("untitled"));
    const remove = element("button", {
      type: "button", class: "plain", "aria-label": `${word("remove")}: ${one.title || word("untitled")}`,
      onclick: () => tried(() => erase(one.id)),
    }, "×");
    return element("li", {}, link, remove);
  }));
}

async function erase(id) {
  if (!confirm(word("removeAsked"))) return;
  await request(`/api/conversations/${id}`, { method: "DELETE" });
  if (state.conversation === id) location.hash = "";
  await list();
  find("fresh").focus();
}

function toggleMenu(isOpen = !document.body.classList.contains("menu")) {
  document.body.classList.toggle("menu", isOpen);
  find("menu").setAttribute("aria-expanded", String(document.body.classList.contains("menu")));
}

/** Shows a conversation, and goes on reading its answer in progress. */
async function open(id) {
  toggleMenu(false);
  if (id === state.conversation && id !== null) return;
  state.reading?.abort();
  state = { ...nothing(), conversation: id };
  const shown = state;
  say("");
  show();
  if (!id) return find("question").focus();
  const [conversation, messages] =
    await Promise.all([data(`/api/conversations/${id}`), all(`/api/conversations/${id}/messages`)]);
  if (state !== shown) return;
  state.tree = new Tree(messages);
  state.tree.showNewest();
  if (conversation.model) find("model").value = conversation.model;
  show();
  await list();
  if (conversation.run_id) await follow(() => null, { run: conversation.run_id });
}

const can = { turn, again, edit };

/** Whether the end of the messages is in view. */
function isAtEnd() {
  const log = find("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
}

/** Shows the branch; the end stays in view, and the keyboard stays where it is. */
function show() {
  const [log, atEnd, held] = [find("log"), isAtEnd(), document.activeElement];
  const [holder, label] = [held?.closest("#log [data-id]"), held?.getAttribute("aria-label") ?? held?.textContent];
  const path = state.tree.path();
  log.replaceChildren(...path.map((place) => article(place, can)));
  if (!path.length) log.append(element("p", { class: "empty" }, word("empty")));
  if (atEnd) log.scrollTop = log.scrollHeight;
  find("send").hidden = state.reading !== null;
  find("stop").hidden = state.reading === null;
  if (!holder) return;
  const place = log.querySelector(`[data-id="${holder.dataset.id}"]`) ?? log;
  const same = (button) => !button.disabled && (button.getAttribute("aria-label") ?? button.textContent) === label;
  ([...place.querySelectorAll("button")].find(same) ?? log).focus();
}

/** Shows a message as it is by now, without the others, which may be many. */
function redraw(message) {
  const atEnd = isAtEnd();
  const place = state.tree.path().find((place) => place.message === message);
  if (place) find("log").querySelector(`[data-id="${message.id}"]`)?.replaceWith(article(place, can));
  if (atEnd) find("log").scrollTop = find("log").scrollHeight;
}

function turn(message, by) {
  state.tree.turn(message, by);
  show();
}

function edit(message, text = message.content) {
  const at = find("log").querySelector(`[data-id="${message.id}"]`);
  const form = editor(text, async (edited) => {
    if (edited === null) return show();
    const parent = message.parent_message_id;
    const place = parent ? { parent_message_id: parent } : { from_start: true };
    // What was refused stays, to be sent again.
    const shown = state;
    if (!(await ask(edited, place)) && state === shown) edit(message, edited);
  });
  at.replaceWith(form);
  form.querySelector("textarea").focus();
}

/** Has a question answered anew. */
function again(answer) {
  return ask(null, { parent_message_id: answer.parent_message_id });
}

/** A key for a request, by which it is known when it is sent again. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Asks, in a new conversation if none is open; whether the question was accepted. */
async function ask(text, place) {
  if (state.reading !== null) return false;
  const accepted = await tried(async () => {
    if (!state.conversation) {
      const made = await data("/api/conversations", { method: "POST", body: {} });
      state.conversation = made.id;
      history.replaceState(null, "", `#${made.id}`);
    }
    const messages = text === null ? [] : [{ role: "user", content: text }];
    const model = find("model").value || null;
    const body = { messages, conversation_id: state.conversation, model, stream: true, ...place };
    // A request whose answer was lost is repeated, and leads to the same run.
    const headers = { accept: "text/event-stream", "idempotency-key": newKey() };
    const begin = (signal) => request("/api/chat", { method: "POST", body, headers, signal });
    const parent = place.from_start ? null : place.parent_message_id ?? null;
    if (text === null) return follow(begin, { parent });
    state.tree.add({ id: "question", parent_message_id: parent, role: "user", content: text, status: "complete" });
    return follow(begin, { parent: "question" });
  });
  return accepted === true;
}

/** Reads an answer to its end, and shows it as it comes; whether it was begun. */
async function follow(begin, { run = null, parent = null }) {
  const [shown, reading] = [state, new AbortController()];
  const streaming = [...state.tree.messages.values()].find((message) => message.status === "streaming");
  const answer = streaming ?? { id: "answer", parent_message_id: parent, role: "assistant", status: "streaming" };
  answer.content = "";
  state.tree.add(answer);
  Object.assign(state, { run, reading, isStopping: false });
  say(word("answering"));
  show();
  let drawn = false;
  const draw = () => {
    if (drawn) return;
    drawn = true;
    requestAnimationFrame(() => ((drawn = false), state === shown && redraw(answer)));
  };
  let end = ["", ""];
  const told = (name, event) => {
    if (reading.signal.aborted) return;
    if (name === "start") shown.run = event.run_id;
    if (name === "start" && shown.isStopping) stop();
    if (name === "delta") answer.content += event.text;
    if (name === "anew") answer.content = "";
    if (name === "lost") say(word("lost"), "lost");
    if (name === "back") say(word("back"));
    if (name === "done") end = [word(event.message.status === "stopped" ? "stopped" : "answered"), ""];
    if (name === "error") end = [event.code === "interrupted" ? word("interrupted") : word("failed", event.code), "bad"];
    draw();
  };
  try {
    await readAnswer(begin, told, { run, signal: reading.signal, isUnwanted: () => shown.isStopping });
  } catch (error) {
    if (reading.signal.aborted) return true;
    if (error instanceof Problem && error.status === 401) return leave();
    end = [word("wrong", error.message), "bad"];
  }
  try {
    const messages = await all(`/api/conversations/${shown.conversation}/messages`);
    if (state !== shown) return true;
    const wasShown = shown.tree.path().some((place) => place.message === answer);
    const chosen = shown.tree.chosen;
    shown.tree = new Tree(messages);
    // The branch that shows stays, with the ids that the messages have now.
    for (const [at, child] of chosen) if (shown.tree.messages.has(child)) shown.tree.chosen.set(at, child);
    if (wasShown) shown.tree.showNewest();
  } catch (error) {
    end = [word("wrong", error.message), "bad"];
  } finally {
    if (state === shown) {
      shown.reading = null;
      show();
      say(...end);
    }
  }
  await list();
  return shown.run !== null;
}

/** Stops the answer; one that hasn't told its run yet as soon as it does. */
async function stop() {
  state.isStopping = true;
  if (state.run) await tried(() => request(`/api/chat/runs/${state.run}/stop`, { method: "POST", body: {} }));
}

async function submit() {
  const [field, shown] = [find("question"), state];
  const text = field.value.trim();
  if (!text || state.reading !== null) return;
  field.value = "";
  say("");
  const last = state.tree.path().at(-1)?.message.id;
  // What was refused stays, to be sent again.
  const accepted = await ask(text, last ? { parent_message_id: last } : {});
  if (!accepted && state === shown && !field.value) field.value = text;
}

find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const isNew = event.submitter?.value === "register";
  try {
    const [name, password, code, person, organization] =
      ["name", "password", "code", "person", "organization"].map((id) => (id === "password" ? find(id).value : find(id).value.trim()));
    if (isNew && !name.includes("@")) throw new Error(word("addressToRegister"));
    await (isNew ? register(name, password, person, organization) : signIn(name, password, code));
    find("password").value = "";
    find("refused").textContent = "";
    await enter();
    if (isNew) say(word("confirmAddress", name));
  } catch (error) {
    if (error instanceof Problem && error.wantsCode) find("second").hidden = false;
    find("refused").textContent = error.message;
  }
});
find("ask").addEventListener("submit", (event) => (event.preventDefault(), submit()));
find("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) (event.preventDefault(), submit());
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.isComposing) return;
  if (document.body.classList.contains("menu")) (toggleMenu(false), find("menu").focus());
  else if (state.reading !== null) stop();
});
find("stop").addEventListener("click", stop);
find("fresh").addEventListener("click", () => (location.hash ? (location.hash = "") : open(null)));
find("leave").addEventListener("click", async () => (await signOut(), leave()));
find("menu").addEventListener("click", () => toggleMenu());
addEventListener("hashchange", () => tried(() => open(location.hash.slice(1) || null)));

/** Opens the chat for whom the tab is signed in. */
async function begin() {
  if (!isSignedIn()) return leave();
  try {
    await enter();
  } catch (error) {
    leave();
    if (!(error instanceof Problem && error.status === 401)) find("refused").textContent = error.message;
  }
}

begin();
