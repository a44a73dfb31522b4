// The page of the chat: what the user does.

import { Problem, all, data, isSignedIn, request, signIn, signOut, signedOut } from "./api.js";
import { readAnswer } from "./answer.js";
import { article, editor, element } from "./show.js";
import { Tree } from "./tree.js";
import { word } from "./words.js";

const find = (id) => document.getElementById(id);
const state = { conversation: null, tree: new Tree([]), run: null, stopping: false };

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

function leave() {
  signedOut();
  find("chat").hidden = true;
  find("sign-in").hidden = false;
  find("name").focus();
}

async function enter() {
  find("sign-in").hidden = true;
  find("chat").hidden = false;
  const models = await data("/api/models");
  const option = (model) => element("option", { value: model.name, selected: model.default }, model.name);
  find("model").replaceChildren(...models.map(option));
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
}

/** Shows a conversation, and goes on reading its answer in progress. */
async function open(id) {
  document.body.classList.remove("menu");
  if (id === state.conversation && id !== null) return;
  Object.assign(state, { conversation: id, tree: new Tree([]), run: null });
  say("");
  show();
  if (!id) return find("question").focus();
  const [shown, messages] = await Promise.all([data(`/api/conversations/${id}`), all(`/api/conversations/${id}/messages`)]);
  if (state.conversation !== id) return;
  state.tree = new Tree(messages);
  state.tree.showNewest();
  if (shown.model) find("model").value = shown.model;
  show();
  await list();
  if (shown.run_id) await follow(id, shown.run_id, () => null);
}

/** Shows the branch, and scrolls to its end if that was in view. */
function show() {
  const log = find("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const path = state.tree.path();
  log.replaceChildren(...path.map((place) => article(place, can)));
  if (!path.length) log.append(element("p", { class: "empty" }, word("empty")));
  if (atEnd) log.scrollTop = log.scrollHeight;
  find("send").hidden = state.run !== null;
  find("stop").hidden = state.run === null;
}

const can = { turn, again, edit };

/** Shows a message as it is by now, without the others, which may be many. */
function redraw(message) {
  const log = find("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const place = state.tree.path().find((place) => place.message === message);
  if (place) log.querySelector(`[data-id="${message.id}"]`)?.replaceWith(article(place, can));
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function turn(message, by) {
  state.tree.turn(message, by);
  show();
}

function edit(message) {
  const at = find("log").querySelector(`[data-id="${message.id}"]`);
  const form = editor(message, (text) => {
    if (text === null) return show();
    const parent = message.parent_message_id;
    return ask(text, parent ? { parent_message_id: parent } : { from_start: true });
  });
  at.replaceWith(form);
  form.querySelector("textarea").focus();
}

/** Has a question answered anew. */
function again(answer) {
  return ask(null, { parent_message_id: answer.parent_message_id });
}

/** Asks, in a new conversation if none is open. */
async function ask(text, place) {
  if (state.run !== null) return;
  await tried(async () => {
    if (!state.conversation) {
      const made = await data("/api/conversations", { method: "POST", body: {} });
      state.conversation = made.id;
      history.replaceState(null, "", `#${made.id}`);
    }
    const id = state.conversation;
    const messages = text === null ? [] : [{ role: "user", content: text }];
    const body = { messages, conversation_id: id, model: find("model").value || null, stream: true, ...place };
    // A request whose answer was lost is repeated, and leads to the same run.
    const headers = { accept: "text/event-stream", "idempotency-key": crypto.randomUUID() };
    const begin = () => request("/api/chat", { method: "POST", body, headers });
    if (text !== null) {
      const parent = place.from_start ? null : place.parent_message_id ?? null;
      state.tree.add({ id: "question", parent_message_id: parent, role: "user", content: text, status: "complete" });
    }
    await follow(id, null, begin, text === null ? place.parent_message_id : "question");
  });
}

/** Reads an answer to its end, and shows it as it comes. */
async function follow(id, run, begin, parent = null) {
  const streaming = [...state.tree.messages.values()].find((message) => message.status === "streaming");
  const answer = streaming ?? { id: "answer", parent_message_id: parent, role: "assistant", status: "streaming" };
  answer.content = "";
  state.tree.add(answer);
  state.run = run ?? "";
  state.stopping = false;
  say(word("answering"));
  show();
  let drawn = false;
  const draw = () => {
    if (drawn || state.conversation !== id) return;
    drawn = true;
    requestAnimationFrame(() => ((drawn = false), redraw(answer)));
  };
  let end = ["", ""];
  try {
    await readAnswer(begin, (name, event) => {
      if (state.conversation !== id) return;
      if (name === "start") state.run = event.run_id;
      if (name === "start" && state.stopping) stop();
      if (name === "delta") answer.content += event.text;
      if (name === "anew") answer.content = "";
      if (name === "lost") say(word("lost"), "lost");
      if (name === "back") say(word("back"));
      if (name === "done") end = [word(event.message.status === "stopped" ? "stopped" : "answered"), ""];
      if (name === "error") end = [event.code === "interrupted" ? word("interrupted") : word("failed", event.code), "bad"];
      draw();
    }, run);
  } catch (error) {
    end = [word("wrong", error.message), "bad"];
    if (error instanceof Problem && error.status === 401) leave();
  }
  if (state.conversation !== id) return;
  state.run = null;
  const messages = await all(`/api/conversations/${id}/messages`);
  const chosen = state.tree.chosen;
  state.tree = new Tree(messages);
  // The branch that showed still does, with the ids that the messages have now.
  for (const [parent, child] of chosen) if (state.tree.messages.has(child)) state.tree.chosen.set(parent, child);
  state.tree.showNewest();
  show();
  say(...end);
  await list();
}

/** Stops the answer; one that hasn't told its run yet as soon as it does. */
async function stop() {
  state.stopping = true;
  if (state.run) await tried(() => request(`/api/chat/runs/${state.run}/stop`, { method: "POST", body: {} }));
}

function submit() {
  const field = find("question");
  const text = field.value.trim();
  if (!text || state.run !== null) return;
  field.value = "";
  const last = state.tree.path().at(-1)?.message.id;
  ask(text, last ? { parent_message_id: last } : {});
}

find("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const isNew = event.submitter?.value === "register";
  try {
    await signIn(find("name").value.trim(), find("password").value, find("code").value.trim(), isNew);
    find("password").value = "";
    say("");
    await enter();
  } catch (error) {
    if (error instanceof Problem && error.wantsCode) find("second").hidden = false;
    find("refused").textContent = error.message;
  }
});
find("ask").addEventListener("submit", (event) => (event.preventDefault(), submit()));
find("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) (event.preventDefault(), submit());
});
document.addEventListener("keydown", (event) => event.key === "Escape" && state.run !== null && stop());
find("stop").addEventListener("click", stop);
find("fresh").addEventListener("click", () => (location.hash ? (location.hash = "") : open(null)));
find("leave").addEventListener("click", async () => (await signOut(), leave()));
find("menu").addEventListener("click", () => document.body.classList.toggle("menu"));
addEventListener("hashchange", () => tried(() => open(location.hash.slice(1) || null)));

if (isSignedIn()) tried(enter);
else leave();
