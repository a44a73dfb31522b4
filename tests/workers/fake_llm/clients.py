"""Calls a server with the providers' own clients, and prints what each call returned or raised, a line of JSON each.

    clients.py BASE_URL CALL...

A call is the name of a function below.
"""

import json
import sys

import anthropic
import openai

BASE_URL = sys.argv[1]
OPENAI = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-test", max_retries=0, timeout=30)
ANTHROPIC = anthropic.Anthropic(base_url=BASE_URL, api_key="sk-test", max_retries=0, timeout=30)

MESSAGES = [{"role": "user", "content": "Hello"}]
RESPONSES = {"model": "model-1", "input": MESSAGES, "max_output_tokens": 100, "store": False}
CHAT = {"model": "model-1", "messages": MESSAGES, "max_tokens": 100}
ANTHROPIC_MESSAGES = {"model": "model-1", "messages": MESSAGES, "max_tokens": 100}
WITH_USAGE = {"include_usage": True}


def returned(text, finish, read, written):
    return {"text": text, "finish": finish, "input": read, "output": written}


def response(answer):
    details = answer.incomplete_details
    texts = [part.text if part.type == "output_text" else part.refusal for part in answer.output[0].content]
    finish = details.reason if details else answer.status
    return returned("".join(texts), finish, answer.usage.input_tokens, answer.usage.output_tokens)


def responses():
    return response(OPENAI.responses.create(**RESPONSES))


def responses_stream():
    text, last, numbers = "", None, []
    for event in OPENAI.responses.create(stream=True, **RESPONSES):
        if event.type == "error":
            return {"error": "error event", "status": None, "code": event.code}
        numbers.append(event.sequence_number)
        if event.type in ("response.output_text.delta", "response.refusal.delta"):
            text += event.delta
        last = event
    assert numbers == list(range(len(numbers))), numbers
    whole = response(last.response)
    assert whole["text"] == text, text
    return whole


def responses_helper():
    with OPENAI.responses.stream(**RESPONSES) as stream:
        for _ in stream:
            pass
        return response(stream.get_final_response())


def completion(answer):
    choice = answer.choices[0]
    usage = answer.usage
    return returned(choice.message.content, choice.finish_reason, usage.prompt_tokens, usage.completion_tokens)


def chat():
    return completion(OPENAI.chat.completions.create(**CHAT))


def chat_stream():
    text, finish, usage = "", None, None
    for chunk in OPENAI.chat.completions.create(stream=True, stream_options=WITH_USAGE, **CHAT):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        usage = chunk.usage or usage
    return returned(text, finish, usage.prompt_tokens, usage.completion_tokens)


def chat_helper():
    with OPENAI.chat.completions.stream(stream_options=WITH_USAGE, **CHAT) as stream:
        for _ in stream:
            pass
        return completion(stream.get_final_completion())


def message(answer):
    usage = answer.usage
    read = usage.input_tokens + usage.cache_creation_input_tokens + usage.cache_read_input_tokens
    return returned(answer.content[0].text, answer.stop_reason, read, usage.output_tokens)


def messages():
    return message(ANTHROPIC.messages.create(**ANTHROPIC_MESSAGES))


def messages_stream():
    text, finish, first, usage = "", None, None, None
    for event in ANTHROPIC.messages.create(stream=True, **ANTHROPIC_MESSAGES):
        if event.type == "message_start":
            first = event.message.usage
        elif event.type == "content_block_delta" and event.delta.type == "text_delta":
            text += event.delta.text
        elif event.type == "message_delta":
            finish, usage = event.delta.stop_reason, event.usage
    read = first.input_tokens + first.cache_creation_input_tokens + first.cache_read_input_tokens
    return returned(text, finish, read, usage.output_tokens)


def messages_helper():
    with ANTHROPIC.messages.stream(**ANTHROPIC_MESSAGES) as stream:
        for _ in stream:
            pass
        return message(stream.get_final_message())


CALLS = {
    call.__name__: call
    for call in (
        responses,
        responses_stream,
        responses_helper,
        chat,
        chat_stream,
        chat_helper,
        messages,
        messages_stream,
        messages_helper,
    )
}


def outcome(call):
    try:
        return call()
    except (openai.OpenAIError, anthropic.AnthropicError) as error:
        code = getattr(error, "error_code", None) or getattr(error, "code", None)
        return {"error": type(error).__name__, "status": getattr(error, "status_code", None), "code": code}
    except Exception as error:
        return {"error": type(error).__name__, "status": None, "code": None}


for name in sys.argv[2:]:
    print(json.dumps(outcome(CALLS[name]), ensure_ascii=False), flush=True)
