// Calls a server with OpenAI's client for Node and with the AI SDK, and prints what each call returned or raised, a line of
// JSON each.
//
//     clients.mjs BASE_URL KEY CALL...
//
// A call is the name of a function below.

import { createOpenAI } from "@ai-sdk/openai";
import { AbstractChat, DefaultChatTransport, generateText, streamText } from "ai";
import OpenAI from "openai";

const [base, key, ...names] = process.argv.slice(2);
let sent = 0;
const counted = (...request) => {
  sent += 1;
  return fetch(...request);
};
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, fetch: counted });
const sdk = createOpenAI({ baseURL: `${base}/v1`, apiKey: key, fetch: counted });
const messages = [{ role: "developer", content: "Be brief." }, { role: "user", content: "Hello" }];
const asked = { model: "daybook-offline", messages };

async function raised(call) {
  const before = sent;
  try {
    return { returned: await call() };
  } catch (error) {
    return { raised: error.constructor.name, code: error.code ?? null, requests: sent - before };
  }
}

/** What `useChat` keeps, without React. */
class State {
  status = "ready";
  error = undefined;
  messages = [];
  pushMessage = (message) => void (this.messages = [...this.messages, message]);
  popMessage = () => void (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => void (this.messages = this.messages.with(index, message));
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor(id) {
    const headers = { authorization: `Bearer ${key}` };
    const body = { model: "offline" };
    const transport = new DefaultChatTransport({ api: `${base}/api/chat/ui`, headers, body });
    super({ id, transport, state: new State(), onError: (error) => void (this.failed = error.message) });
  }
}

const textOf = (message) => message.parts.filter((part) => part.type === "text").map((part) => part.text).join("");

const calls = {
  async chat() {
    const answer = await client.chat.completions.create(asked);
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, model: answer.model };
  },
  async chat_helper() {
    const answer = await client.chat.completions.stream(asked).finalChatCompletion();
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, model: answer.model };
  },
  async response() {
    const answer = await client.responses.create({ model: "daybook-offline", input: "Hello" });
    return { text: answer.output_text, finish: answer.status, model: answer.model };
  },
  async response_helper() {
    const answer = await client.responses.stream({ model: "daybook-offline", input: "Hello" }).finalResponse();
    return { text: answer.output_text, finish: answer.status, model: answer.model };
  },
  async budget() {
    return raised(() => client.chat.completions.create({ ...asked, max_completion_tokens: 90_000 }));
  },
  async cut_stream() {
    return raised(async () => {
      for await (const _ of await client.chat.completions.create({ ...asked, model: "claude-haiku-5-5", stream: true }));
    });
  },
  async sdk() {
    const { text, finishReason } = await generateText({ model: sdk("daybook-offline"), prompt: "Hello" });
    return { text, finish: finishReason };
  },
  async sdk_stream() {
    const answer = streamText({ model: sdk("daybook-offline"), prompt: "Hello" });
    return { text: await answer.text, finish: await answer.finishReason };
  },
  async sdk_chat_stream() {
    const answer = streamText({ model: sdk.chat("daybook-offline"), prompt: "Hello" });
    const [text, finish, usage] = [await answer.text, await answer.finishReason, await answer.usage];
    return { text, finish, counted: usage.totalTokens > 0 };
  },
  async ui() {
    const chat = new Chat("chat-of-a-page");
    await chat.sendMessage({ text: "Hello" });
    const answer = chat.lastMessage;
    return { text: textOf(answer), role: answer.role, status: chat.status, run: answer.metadata.run_id.slice(0, 4) };
  },
  /** A page that is loaded anew while an answer streams reads it to its end, and has it once. */
  async ui_resume() {
    const first = new Chat("chat-that-goes-on");
    const sending = first.sendMessage({ text: "Hello" }, { body: { model: "deepseek-flash" } });
    while (first.status !== "streaming") await new Promise((done) => setTimeout(done, 20));
    await first.stop();
    await sending;
    const second = new Chat("chat-that-goes-on");
    second.messages = first.messages.slice(0, 1);
    await second.resumeStream();
    const whole = textOf(second.lastMessage);
    const third = new Chat("chat-that-goes-on");
    await third.resumeStream();
    return {
      begins: whole.startsWith(textOf(first.lastMessage)), longer: whole.length > textOf(first.lastMessage).length,
      same: second.lastMessage.id === first.lastMessage.id, messages: second.messages.length, after: third.messages.length,
    };
  },
  /** A conversation that Daybook keeps: a second question, an edit of it, and another answer. */
  async ui_conversation() {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const made = await fetch(`${base}/api/conversations`, { method: "POST", headers, body: "{}" });
    const chat = new Chat((await made.json()).data.id);
    await chat.sendMessage({ text: "One" });
    await chat.sendMessage({ text: "Two" });
    await chat.sendMessage({ text: "Two!", messageId: chat.messages[2].id });
    await chat.regenerate();
    const list = await fetch(`${base}/api/conversations/${chat.id}/messages?limit=200`, { headers });
    const kept = (await list.json()).data;
    const numbers = new Map(kept.map((message, number) => [message.id, number]));
    return {
      asked: kept.filter((message) => message.role === "user").map((message) => message.content),
      parents: kept.map((message) => numbers.get(message.parent_message_id) ?? null),
      shown: chat.messages.map((message) => message.role), status: chat.status,
    };
  },
  async ui_refused() {
    const chat = new Chat("chat-of-a-page");
    await chat.sendMessage({ text: "Hello" }, { body: { model: "gpt-99" } });
    return { status: chat.status, code: JSON.parse(chat.failed).code };
  },
  async ui_cut() {
    const chat = new Chat("chat-of-a-page");
    await chat.sendMessage({ text: "Hello" }, { body: { model: "claude-haiku-5-5" } });
    return { status: chat.status, kept: textOf(chat.lastMessage).length > 0, told: chat.failed.length > 0 };
  },
};

for (const name of names) console.log(JSON.stringify(await calls[name]()));
