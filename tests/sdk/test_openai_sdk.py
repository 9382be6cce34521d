"""OpenAI's Python SDK as a client of a real, running box.

The box is what BANYAN_URL and BANYAN_API_KEY say; `cargo xtask test sdk` starts one and sets both.
"""

import math
import os
import time

import openai
import pytest

URL = os.environ["BANYAN_URL"].rstrip("/") + "/v1"
KEY = os.environ["BANYAN_API_KEY"]
QUESTION = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "What is the capital of France?"},
]


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
