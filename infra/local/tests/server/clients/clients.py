"""Calls a server with other projects' Python clients of OpenAI's API, and prints what each call returned or raised, a line of
JSON each.

    clients.py BASE_URL KEY CALL...

A call is the name of a function below.
"""

import json
import sys
import urllib.request

import openai
from langchain_openai import ChatOpenAI
from websockets.sync.client import connect

BASE_URL, KEY = f"{sys.argv[1]}/v1", sys.argv[2]
SENT = []


def client(key=KEY, **options):
    hooks = {"request": [lambda request: SENT.append(request.url.path)]}
    http = openai.DefaultHttpxClient(event_hooks=hooks)
    return openai.OpenAI(base_url=BASE_URL, api_key=key, timeout=60, http_client=http, **options)


OPENAI = client()
QUESTION = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
ASKED = {"model": "daybook-offline", "messages": QUESTION, "max_completion_tokens": 400, "store": False, "seed": 7}
CUT = {**ASKED, "model": "claude-haiku-5-5"}


def chat():
    answer = OPENAI.chat.completions.create(**ASKED)
    choice = answer.choices[0]
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    return {"text": choice.message.content, "finish": choice.finish_reason, "model": answer.model}


def chat_stream():
    text, finish, usage = "", None, []
    for chunk in OPENAI.chat.completions.create(**ASKED, stream=True, stream_options={"include_usage": True}):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        usage += [chunk.usage.total_tokens] if chunk.usage else []
    assert len(usage) == 1, usage
    return {"text": text, "finish": finish, "model": chunk.model}


def chat_helper():
    with OPENAI.chat.completions.stream(**ASKED) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "model": answer.model}


def response():
    answer = OPENAI.responses.create(model="daybook-offline", instructions="Be brief.", input="Hello")
    return {"text": answer.output_text, "finish": answer.status, "model": answer.model}


def response_helper():
    with OPENAI.responses.stream(model="daybook-offline", instructions="Be brief.", input="Hello") as stream:
        for _ in stream:
            pass
        answer = stream.get_final_response()
    return {"text": answer.output_text, "finish": answer.status, "model": answer.model}


def models():
    names = [model.id for model in OPENAI.models.list()]
    assert OPENAI.models.retrieve(names[0]).id == names[0]
    return {"first": names[0], "offline": "daybook-offline" in names and "offline" in names}


def langchain():
    answer = ChatOpenAI(model="daybook-offline", base_url=BASE_URL, api_key=KEY).invoke("Hello")
    assert answer.usage_metadata["total_tokens"] > 0
    return {"text": answer.content, "finish": answer.response_metadata["finish_reason"]}


def langchain_stream():
    model = ChatOpenAI(model="daybook-offline", base_url=BASE_URL, api_key=KEY, stream_usage=True)
    whole = None
    for chunk in model.stream("Hello"):
        whole = chunk if whole is None else whole + chunk
    assert whole.usage_metadata["total_tokens"] > 0
    return {"text": whole.content, "finish": whole.response_metadata["finish_reason"]}


def raised(call):
    sent = len(SENT)
    try:
        return {"returned": str(call())}
    except openai.APIStatusError as error:
        return {"raised": type(error).__name__, "code": error.code, "requests": len(SENT) - sent}
    except openai.APIError as error:
        return {"raised": type(error).__name__, "code": error.code, "requests": len(SENT) - sent}


def wrong_key():
    return raised(lambda: client(key="dbk_wrong").chat.completions.create(**ASKED))


def unknown_model():
    return raised(lambda: OPENAI.chat.completions.create(**{**ASKED, "model": "gpt-99"}))


def wrong_field():
    return raised(lambda: OPENAI.chat.completions.create(**ASKED, n=2))


def budget():
    return raised(lambda: OPENAI.chat.completions.create(**{**ASKED, "max_completion_tokens": 90_000}))


def budget_stream():
    return raised(lambda: OPENAI.responses.create(model="daybook-offline", input="Hello", max_output_tokens=90_000, stream=True))


def cut_stream():
    return raised(lambda: list(OPENAI.chat.completions.create(**CUT, stream=True)))


def cut_response():
    stream = OPENAI.responses.create(model="claude-haiku-5-5", input="Hello", stream=True)
    last = list(stream)[-1]
    return {"last": last.type, "code": last.response.error.code}


def socket():
    """A ticket opens one socket, which asks, reads its answer and pings."""
    headers = {"authorization": f"Bearer {KEY}"}
    with urllib.request.urlopen(urllib.request.Request(f"{sys.argv[1]}/api/ws/ticket", b"", headers)) as answer:
        url = json.load(answer)["data"]["url"]
    with connect(url) as ws:
        ws.send(json.dumps({"type": "chat", "content": "Hello", "model": "offline"}))
        frames = [json.loads(ws.recv())]
        while frames[-1]["type"] != "done":
            frames.append(json.loads(ws.recv()))
        ws.send(json.dumps({"type": "ping"}))
        pong = json.loads(ws.recv())["type"]
    text = "".join(frame["text"] for frame in frames if frame["type"] == "delta")
    try:
        connect(url)
        again = "opened"
    except Exception as error:
        again = error.response.status_code
    return {"text": text, "first": frames[0]["type"], "pong": pong, "again": again}


for name in sys.argv[3:]:
    print(json.dumps(globals()[name]()), flush=True)
