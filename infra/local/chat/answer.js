// An answer that streams, read to its end over as many connections as it takes.

import { Problem, request } from "./api.js";

/** How long to wait before each attempt to connect again, in milliseconds. */
const PAUSES = [500, 1000, 2000, 4000, 8000];

/** The events of a stream, one by one. */
async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    let end;
    while ((end = waiting.indexOf("\n\n")) >= 0) {
      const lines = waiting.slice(0, end).split("\n");
      waiting = waiting.slice(end + 2);
      const field = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("event")) yield { name: field("event"), data: JSON.parse(field("data")) };
    }
  }
}

const pause = (time) => new Promise((done) => setTimeout(done, time));

/**
 * Reads an answer. `begin` opens its first stream, and is called again if that breaks before it named its run. `told` is
 * called with "start", "delta", "lost", "back", "anew", "done" and "error". `signal` ends the reading; `isUnwanted` says
 * whether a run that hasn't begun needn't be tried again.
 */
export async function readAnswer(begin, told, { run = null, signal, isUnwanted = () => false }) {
  let [seq, failures, isLost] = [0, 0, false];
  for (;;) {
    let wait = null;
    try {
      const path = `/api/chat/runs/${run}/events?after_seq=${seq}`;
      const response = run ? await request(path, { headers: { accept: "text/event-stream" }, signal }) : await begin(signal);
      if (isLost) told("back", {});
      [isLost, failures] = [false, 0];
      for await (const { name, data } of eventsOf(response)) {
        if (name === "start") run = data.run_id;
        if (name === "delta") seq = data.seq;
        // The process ended before it could store the end: another one will.
        if (name === "error" && data.code === "unavailable") break;
        told(name, data);
        if (name === "done" || name === "error") return;
      }
    } catch (error) {
      signal.throwIfAborted();
      const code = error instanceof Problem ? error.document.code : null;
      if (code === "invalid_query" && seq > 0) {
        // The process died before it had stored all that it sent: what stands is read from its start.
        seq = 0;
        told("anew", {});
        continue;
      }
      const mayPass = !(error instanceof Problem) || error.status >= 500 || (run !== null && error.status === 429);
      if (!mayPass || (run === null && isUnwanted())) throw error;
      wait = error.retryAfter ?? null;
    }
    if (!isLost) told("lost", {});
    isLost = true;
    await pause(wait ?? PAUSES[Math.min(failures, PAUSES.length - 1)]);
    signal.throwIfAborted();
    failures += 1;
  }
}
