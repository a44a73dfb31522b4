"""The steps of the journey with the AI chat: over HTTP, at the URL that streams, and over WebSockets."""

import json
from concurrent.futures import ThreadPoolExecutor

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from emulator import request, wait_for


class ChatSteps:
    def the_ai_answers_by_the_queues_worker(self):
        hello = {"id": "msg1", "content": "你好", "role": "user", "timestamp": 1697467200000}
        answer = self.answered({"messages": [hello], "model": "gpt-3.5-turbo"})
        assert "你好" in answer["content"] and answer["model"] == "gpt-3.5-turbo", answer
        models = [model["name"] for model in self.signed_in("GET", "/api/models").expect(200).json["data"]]
        assert "offline" in models and answer["provider_model"] == "offline", (models, answer)
        self.conversation, conversation = self.made("/api/conversations", {"title": "Offer"})
        answer = self.answered({**asked("What is an offer?"), "conversation_id": conversation["id"]})
        assert answer["conversation_id"] == conversation["id"], answer
        roles = [message["role"] for message in self.messages()]
        assert roles == ["user", "assistant"], roles
        refused = self.signed_in("POST", "/api/chat", {**asked("x"), "model": "gpt-0"}).expect(400).json
        assert refused["code"] == "unknown_model", refused

    def answered(self, question):
        """The answer to a question: at once, or when its run has ended."""
        answer = self.signed_in("POST", "/api/chat", question)
        if answer.status == 200:
            return answer.json
        run = f"/api/chat/runs/{answer.expect(202).json['data']['id']}"

        def ended():
            found = self.signed_in("GET", run).expect(200).json["data"]
            return found["state"] not in ("queued", "running") and found
        return wait_for("the answer", ended)

    def messages(self):
        return self.signed_in("GET", f"{self.conversation}/messages").expect(200).json["data"]

    def an_answer_is_streamed_at_its_own_url(self):
        question = {**asked("And a quote?"), "conversation_id": self.conversation.rsplit("/", 1)[1], "stream": True}
        refused = self.signed_in("POST", "/api/chat", question).expect(400).json
        assert refused["code"] == "use_stream_url" and self.stream_url in refused["detail"], refused
        request("POST", f"{self.stream}/api/chat", question).expect(401)
        bearer = {"authorization": f"Bearer {self.token}"}
        # The emulator gathers a stream before it passes it on, so this tests what is streamed, not when.
        answer = request("POST", f"{self.stream}/api/chat", question, bearer).expect(200)
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
        streamed = events(answer.body)
        names = [event["event"] for event in streamed]
        assert names[0] == "start" and names[-2:] == ["usage", "done"] and set(names[1:-2]) == {"delta"}, names
        text = "".join(event["data"]["text"] for event in streamed if event["event"] == "delta")
        message = streamed[-1]["data"]["message"]
        assert message["content"] == text and self.messages()[-1]["content"] == text, (message, text)
        run = f"/api/chat/runs/{streamed[0]['data']['run_id']}"
        # Goes on in the middle of the text, as after a broken connection.
        rest = request("GET", f"{self.stream}{run}/events?after_seq=5", headers=bearer).expect(200)
        rest = "".join(event["data"]["text"] for event in events(rest.body) if event["event"] == "delta")
        assert rest == text[5:], (rest, text)
        self.signed_in("GET", f"{run}/events").expect(400)
        assert self.signed_in("GET", run).expect(200).json["data"]["content"] == text

    def an_answer_is_stopped(self):
        id = self.conversation.rsplit("/", 1)[1]
        question = {**asked("Tell me more."), "conversation_id": id, "model": "offline-slow"}

        def begun():
            run = self.signed_in("GET", self.conversation).expect(200).json["data"]["run_id"]
            return run and self.signed_in("GET", f"/api/chat/runs/{run}").expect(200).json["data"]
        with ThreadPoolExecutor(1) as beside:
            waiting = beside.submit(self.answered, question)
            run = wait_for("the first text", lambda: (run := begun()) and run["content"] and run)
            self.signed_in("POST", "/api/chat", question).expect(409)
            self.signed_in("POST", f"/api/chat/runs/{run['id']}/stop").expect(200)
            stopped = waiting.result(60)
        assert stopped["state"] == "stopped" and stopped["content"].startswith(run["content"]), stopped
        last = self.messages()[-1]
        assert last["status"] == "stopped" and last["content"] == stopped["content"], last

    def a_budget_is_exhausted(self):
        budgets = "/api/ai/budgets"
        assert self.signed_in("GET", budgets).expect(200).json["data"]["spent"]["daily_tokens"] > 0
        self.signed_in("PUT", budgets, {"per_user": {"daily_tokens": 1}}).expect(200)
        refused = self.signed_in("POST", "/api/chat", asked("Hello")).expect(402).json
        assert refused["code"] == "budget_exceeded", refused
        self.signed_in("PUT", budgets, {"per_user": {"daily_tokens": None}}).expect(200)
        self.answered(asked("Hello"))
        told = self.signed_in("GET", "/api/audit-logs?event=ai.budget_exceeded").expect(200).json["data"]
        assert len(told) == 1, told
        used = self.signed_in("GET", "/api/ai/usage").expect(200).json["data"]
        assert sum(one["answers"] for one in used) >= 5, used

    def other_peoples_clients_stream_there(self):
        bearer = {"authorization": f"Bearer {self.token}"}
        models = request("GET", f"{self.stream}/v1/models", headers=bearer).expect(200).json["data"]
        assert any(model["id"] == "daybook-offline" for model in models), models
        messages = [{"role": "user", "content": "What is an offer?"}]
        body = {"model": "daybook-offline", "messages": messages, "stream": True}
        answer = request("POST", f"{self.stream}/v1/chat/completions", body, bearer).expect(200)
        chunks = answer.body.decode().split("data: ")[1:]
        assert chunks[-1].strip() == "[DONE]" and json.loads(chunks[0])["object"] == "chat.completion.chunk", chunks
        wrong = request("POST", f"{self.stream}/v1/chat/completions", {**body, "model": "gpt-0"}, bearer)
        assert wrong.expect(404).json["error"]["code"] == "model_not_found", wrong.json
        turn = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "What is an offer?"}]}
        answer = request("POST", f"{self.stream}/api/chat/ui", {"id": "page-1", "messages": [turn]}, bearer).expect(200)
        assert answer.headers["x-vercel-ai-ui-message-stream"] == "v1", answer.headers
        parts = [json.loads(part) for part in answer.body.decode().split("data: ")[1:-1]]
        assert parts[0]["type"] == "start" and parts[-1]["type"] == "finish", parts
        # Nothing to go on reading.
        request("GET", f"{self.stream}/api/chat/ui/page-1/stream", headers=bearer).expect(204)

    def ticket(self, token=None):
        bearer = f"Bearer {token or self.token}"
        data = self.call("POST", "/api/ws/ticket", authorization=bearer).expect(201).json["data"]
        assert data["url"] == f"{self.socket_url}?ticket={data['ticket']}", data
        return data["ticket"]

    def opened(self, token=None):
        return Socket(f"{self.socket}?ticket={self.ticket(token)}")

    def a_socket_is_answered_in_order(self):
        used = self.ticket()
        Socket(f"{self.socket}?ticket={used}").close()
        for wrong in [f"?ticket={used}", "?ticket=x", ""]:
            try:
                Socket(self.socket + wrong)
                raise AssertionError(f"a socket with {wrong}")
            except InvalidStatus as refused:
                assert refused.response.status_code in (401, 403), refused
        socket = self.opened()
        assert socket.ask({"type": "ping", "id": "p"})["id"] == "p"
        assert socket.ask({"type": "sing"})["code"] == "validation_error"
        socket.send({"type": "chat", "content": "What is an offer?", "id": "q1", "model": "offline-slow"})
        frames = socket.answer()
        assert frames[0]["type"] == "ack" and frames[0]["id"] == "q1", frames
        text, deltas = "", [frame for frame in frames if frame["type"] == "delta"]
        for delta in deltas:
            text += delta["text"]
            assert delta["seq"] == len(text), (delta, text)
        assert len(deltas) > 1 and frames[-1]["type"] == "done", frames
        assert frames[-1]["message"]["content"] == text, (frames[-1], text)
        kept = frames[0]["conversation_id"]
        said = self.signed_in("GET", f"/api/conversations/{kept}/messages").expect(200).json["data"]
        assert [message["role"] for message in said] == ["user", "assistant"] and said[1]["content"] == text, said
        # An answer that has ended, from a position on.
        socket.send({"type": "resume", "run_id": frames[0]["run_id"], "after_seq": 5})
        rest = "".join(frame.get("text", "") for frame in socket.answer())
        assert rest == text[5:], (rest, text)
        # A second question goes on in the conversation, and is stopped.
        socket.send({"type": "chat", "content": "Go on.", "model": "offline-slow"})
        first = socket.next()
        assert first["type"] == "ack" and first["conversation_id"] == kept, first
        assert socket.next()["type"] == "delta"
        socket.send({"type": "stop"})
        assert socket.answer()[-1]["message"]["status"] == "stopped"
        socket.close()

    def open_connections(self):
        return self.call("GET", "/health").expect(200).json["active_connections"]

    def a_socket_that_is_gone_is_forgotten(self):
        socket = self.opened()
        socket.send({"type": "chat", "content": "What is an offer?", "model": "offline-slow"})
        ack = socket.next()
        assert socket.next()["type"] == "delta"
        socket.close()

        def ended():
            found = self.signed_in("GET", f"/api/chat/runs/{ack['run_id']}").expect(200).json["data"]
            return found["state"] == "done"
        wait_for("the answer without its socket", ended)
        # The health check keeps its numbers for ten seconds.
        wait_for("the health check without the socket", lambda: self.open_connections() == 0, 40, pause=3)

    def a_task_is_told_at_once(self):
        me = self.signed_in("GET", "/api/auth/me").expect(200).json["data"]["id"]
        key = {"name": "Tasks", "permissions": ["tasks:create:all", "tasks:read:all"]}
        key = self.signed_in("POST", "/api/api-keys", key).expect(201).json["data"]["key"]
        socket = self.opened()
        assert socket.ask({"type": "ping"})["type"] == "pong"
        task = {"title": "Call", "assignee_id": me}
        task = self.call("POST", "/api/tasks", task, authorization=f"Bearer {key}").expect(201).json["data"]
        told = socket.next()
        assert (told["type"], told["event"]) == ("notification", "task.created"), told
        assert told["record"]["id"] == task["id"] and told["about"]["title"] == "Call", (told, task)
        socket.close()

    def signing_out_closes_the_socket(self):
        person = {"email": "owner@example.com", "password": "correct horse battery"}
        token = self.call("POST", "/api/auth/login", person).expect(200).json["access_token"]
        socket = self.opened(token)
        assert socket.ask({"type": "ping"})["type"] == "pong"
        self.call("POST", "/api/auth/logout", authorization=f"Bearer {token}").expect(200)
        try:
            raise AssertionError(f"a frame for a user who signed out: {socket.next()}")
        except ConnectionClosed:
            pass


class Socket:
    """A WebSocket with JSON frames."""

    def __init__(self, url):
        self.connection = connect(url, open_timeout=30, close_timeout=5)

    def send(self, frame):
        self.connection.send(json.dumps(frame))

    def next(self):
        return json.loads(self.connection.recv(timeout=60))

    def ask(self, frame):
        self.send(frame)
        return self.next()

    def answer(self):
        """The frames up to the end of an answer."""
        frames = [self.next()]
        while frames[-1]["type"] not in ("done", "error"):
            frames.append(self.next())
        return frames

    def close(self):
        self.connection.close()


def asked(question):
    """The body of a request for an answer."""
    return {"messages": [{"role": "user", "content": question}]}


def events(stream):
    """Server-sent events, as their fields; the data is JSON."""
    found = []
    for block in stream.decode().split("\n\n"):
        lines = [line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            fields = dict(lines)
            found.append({**fields, "data": json.loads(fields["data"])})
    return found
