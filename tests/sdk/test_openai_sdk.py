"""OpenAI's Python SDK as a client of a real, running box.

The box is what BANYAN_URL and BANYAN_API_KEY say; `cargo xtask test sdk` starts one and sets both.
"""

import json
import math
import os
import time
from typing import Literal

import openai
import pydantic
import pytest

URL = os.environ["BANYAN_URL"].rstrip("/") + "/v1"
KEY = os.environ["BANYAN_API_KEY"]
QUESTION = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tomorrow's weather at a place",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string", "maxLength": 30},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["place", "unit"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture(scope="module")
def client():
    # No retries: a test has to see the first answer.
    with openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def models(client):
    return [model.id for model in client.models.list()]


@pytest.fixture(scope="module")
def chat_model(models):
    return next(name for name in models if "instruct" in name)


@pytest.fixture(scope="module")
def embedding_model(models):
    return next(name for name in models if "minilm" in name)


def test_the_box_lists_its_models(client, models):
    assert len(models) >= 2
    first = client.models.retrieve(models[0])
    assert first.id == models[0] and first.object == "model"


def test_a_chat_is_answered_and_counted(client, chat_model):
    answer = client.chat.completions.create(
        model=chat_model, messages=QUESTION, temperature=0, max_tokens=24
    )
    assert "paris" in answer.choices[0].message.content.lower()
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 0
    assert 0 < answer.usage.completion_tokens <= 24
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_the_same_as_the_whole_answer(client, chat_model):
    ask = dict(model=chat_model, messages=QUESTION, temperature=0, max_tokens=24)
    whole = client.chat.completions.create(**ask).choices[0].message.content
    pieces, ends, usage = [], [], None
    for chunk in client.chat.completions.create(
        **ask, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            pieces.append(choice.delta.content or "")
            if choice.finish_reason:
                ends.append(choice.finish_reason)
    assert len(pieces) > 2, "a stream comes in pieces"
    assert "".join(pieces) == whole
    assert len(ends) == 1
    assert usage is not None and usage.completion_tokens > 0


def test_the_same_seed_gives_the_same_answer(client, chat_model):
    ask = dict(model=chat_model, messages=QUESTION, temperature=1.0, seed=7, max_tokens=16)
    one = client.chat.completions.create(**ask).choices[0].message.content
    two = client.chat.completions.create(**ask).choices[0].message.content
    assert one == two


def test_a_stop_word_ends_the_answer_and_is_not_part_of_it(client, chat_model):
    answer = client.chat.completions.create(
        model=chat_model, messages=QUESTION, temperature=0, max_tokens=24, stop=["Paris"]
    )
    assert answer.choices[0].finish_reason == "stop"
    assert "Paris" not in answer.choices[0].message.content


def test_the_older_completions_endpoint_continues_a_text(client, chat_model):
    answer = client.completions.create(
        model=chat_model, prompt="One, two, three, four,", temperature=0, max_tokens=8
    )
    assert "five" in answer.choices[0].text.lower()


def test_embeddings_put_like_meaning_near(client, embedding_model):
    texts = ["Where can I drink clean water?", "Drinking water is at the well.", "The bus leaves at noon."]
    answer = client.embeddings.create(model=embedding_model, input=texts)
    vectors = [item.embedding for item in sorted(answer.data, key=lambda item: item.index)]
    assert [len(vector) for vector in vectors] == [384] * 3
    dot = lambda a, b: sum(x * y for x, y in zip(a, b))
    assert all(math.isclose(dot(v, v), 1, abs_tol=1e-3) for v in vectors), "vectors have length one"
    assert dot(vectors[0], vectors[1]) > dot(vectors[0], vectors[2]) + 0.2
    assert answer.usage.prompt_tokens > 0


def test_a_wrong_key_is_refused():
    with openai.OpenAI(base_url=URL, api_key="bk_wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError) as error:
            stranger.models.list()
    assert error.value.status_code == 401


def test_too_long_a_question_is_refused_in_words(client, chat_model):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=chat_model, messages=[{"role": "user", "content": "water " * 20_000}], max_tokens=8
        )
    assert error.value.status_code == 400
    assert error.value.code == "context_length_exceeded"


def test_a_parameter_out_of_range_is_named(client, chat_model):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=chat_model, messages=QUESTION, temperature=9)
    assert error.value.param == "temperature"


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=QUESTION, max_tokens=1)


def test_a_stream_that_is_left_stops_and_the_box_goes_on(client, chat_model):
    story = [{"role": "user", "content": "Tell a very long story about a tree."}]
    stream = client.chat.completions.create(
        model=chat_model, messages=story, max_tokens=1500, stream=True
    )
    for count, _ in enumerate(stream):
        if count == 3:
            break
    stream.close()
    started = time.monotonic()
    answer = client.chat.completions.create(model=chat_model, messages=QUESTION, max_tokens=4)
    assert answer.choices[0].message.content
    assert time.monotonic() - started < 30


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    name: str = pydantic.Field(max_length=40)
    age: int = pydantic.Field(ge=0, le=150)
    likes: Literal["tea", "coffee", "water"]


def test_an_answer_is_json_of_the_schema_that_was_asked_for(client, chat_model):
    ask = dict(
        model=chat_model, messages=[{"role": "user", "content": "Who is Ada?"}], temperature=1, max_tokens=200
    )
    for seed in range(3):
        answer = client.chat.completions.parse(**ask, seed=seed, response_format=Person)
        assert isinstance(answer.choices[0].message.parsed, Person)
    answer = client.chat.completions.create(
        **ask, extra_body={"guided_choice": ["a mathematician", "a river"]}
    )
    assert answer.choices[0].message.content in ("a mathematician", "a river")


def test_a_schema_that_cannot_be_kept_is_refused_by_name(client, chat_model):
    schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}}
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(
            model=chat_model,
            messages=QUESTION,
            response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
        )
    assert error.value.param == "response_format"


def test_a_required_call_is_of_a_known_tool_with_valid_arguments(client, chat_model):
    messages = [{"role": "user", "content": "Will it rain in Ujiji?"}]
    ask = dict(model=chat_model, tools=[WEATHER], tool_choice="required", temperature=1, max_tokens=200)
    answer = client.chat.completions.create(
        **ask, messages=messages, parallel_tool_calls=False
    ).choices[0]
    assert answer.finish_reason == "tool_calls"
    (call,) = answer.message.tool_calls
    assert call.function.name == "weather"
    arguments = json.loads(call.function.arguments)
    assert arguments.keys() == {"place", "unit"} and arguments["unit"] in ("celsius", "fahrenheit")

    # The conversation goes on behind the call and its result.
    result = {"role": "tool", "tool_call_id": call.id, "content": "Rain, 24 degrees."}
    messages += [answer.message.model_dump(exclude_none=True), result]
    said = client.chat.completions.create(
        model=chat_model, messages=messages, tools=[WEATHER], tool_choice="none", max_tokens=24
    )
    assert said.choices[0].message.content and not said.choices[0].message.tool_calls


def test_calls_are_streamed_in_pieces(client, chat_model):
    messages = [{"role": "user", "content": "Will it rain in Ujiji?"}]
    named = {"type": "function", "function": {"name": "weather"}}
    ids, name, arguments, finish = [], "", "", None
    for chunk in client.chat.completions.create(
        model=chat_model, messages=messages, tools=[WEATHER], tool_choice=named, max_tokens=200, stream=True
    ):
        for delta in chunk.choices[0].delta.tool_calls or []:
            assert delta.index == 0
            ids += [delta.id] if delta.id else []
            name += delta.function.name or ""
            arguments += delta.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (len(ids), name, finish) == (1, "weather", "tool_calls")
    assert json.loads(arguments).keys() == {"place", "unit"}


def test_several_answers_differ_and_a_bias_out_of_bounds_is_named(client, chat_model):
    answer = client.chat.completions.create(
        model=chat_model, messages=QUESTION, temperature=1.2, seed=3, max_tokens=16, n=3
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) > 1
    ask = dict(model=chat_model, messages=QUESTION, temperature=0, max_tokens=8)
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(**ask, logit_bias={"5": 101})
    assert error.value.param == "logit_bias"
