// OpenAI's JavaScript SDK as a client of a real, running box.
//
// The box is what BANYAN_URL and BANYAN_API_KEY say; `cargo xtask test sdk` starts one and sets both.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import OpenAI from "openai";

const baseURL = `${process.env.BANYAN_URL.replace(/\/$/, "")}/v1`;
// No retries: a test has to see the first answer.
const client = new OpenAI({ baseURL, apiKey: process.env.BANYAN_API_KEY, maxRetries: 0, timeout: 120_000 });
const messages = [
  { role: "system", content: "You are a helpful assistant." },
  { role: "user", content: "What is the capital of France?" },
];
const weather = {
  type: "function",
  function: {
    name: "weather",
    description: "Tomorrow's weather at a place",
    parameters: {
      type: "object",
      properties: {
        place: { type: "string", maxLength: 30 },
        unit: { type: "string", enum: ["celsius", "fahrenheit"] },
      },
      required: ["place", "unit"],
      additionalProperties: false,
    },
  },
};
let model;
let embedder;

before(async () => {
  const names = [];
  for await (const entry of client.models.list()) names.push(entry.id);
  model = names.find((name) => name.includes("instruct"));
  embedder = names.find((name) => name.includes("minilm"));
  assert.ok(model && embedder, `the box lists ${names}`);
});

test("a chat is answered and counted", async () => {
  const answer = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 24 });
  assert.match(answer.choices[0].message.content, /paris/i);
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("a stream says the same as the whole answer", async () => {
  const ask = { model, messages, temperature: 0, max_tokens: 24 };
  const whole = await client.chat.completions.create(ask);
  let text = "";
  let pieces = 0;
  let usage;
  for await (const chunk of await client.chat.completions.create({
    ...ask,
    stream: true,
    stream_options: { include_usage: true },
  })) {
    text += chunk.choices[0]?.delta?.content ?? "";
    pieces += 1;
    usage = chunk.usage ?? usage;
  }
  assert.ok(pieces > 2, "a stream comes in pieces");
  assert.equal(text, whole.choices[0].message.content);
  assert.ok(usage.completion_tokens > 0);
});

test("the SDK's own stream runner puts the answer together", async () => {
  const runner = client.chat.completions.stream({ model, messages, temperature: 0, max_tokens: 24 });
  assert.match(await runner.finalContent(), /paris/i);
});

test("embeddings come back as floats, also by the SDK's base64 way", async () => {
  // Without encoding_format this SDK asks for base64 and decodes it.
  const short = await client.embeddings.create({ model: embedder, input: "water" });
  const plain = await client.embeddings.create({ model: embedder, input: "water", encoding_format: "float" });
  assert.equal(short.data[0].embedding.length, 384);
  for (let i = 0; i < 384; i += 1) {
    assert.ok(Math.abs(short.data[0].embedding[i] - plain.data[0].embedding[i]) < 1e-5);
  }
});

test("a wrong key is refused", async () => {
  const stranger = new OpenAI({ baseURL, apiKey: "bk_wrong", maxRetries: 0 });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
});

test("too long a question is refused in words", async () => {
  const long = [{ role: "user", content: "water ".repeat(20_000) }];
  await assert.rejects(client.chat.completions.create({ model, messages: long, max_tokens: 8 }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.code, "context_length_exceeded");
    return true;
  });
});

test("a parameter out of range is named", async () => {
  await assert.rejects(client.chat.completions.create({ model, messages, temperature: 9 }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.param, "temperature");
    return true;
  });
});

test("an aborted stream ends at once and the box goes on", async () => {
  const stop = new AbortController();
  const story = [{ role: "user", content: "Tell a very long story about a tree." }];
  const stream = await client.chat.completions.create(
    { model, messages: story, max_tokens: 1500, stream: true },
    { signal: stop.signal },
  );
  let pieces = 0;
  for await (const _ of stream) {
    pieces += 1;
    if (pieces === 3) stop.abort();
  }
  assert.ok(pieces < 50, `${pieces} pieces came after the abort`);
  const answer = await client.chat.completions.create({ model, messages, max_tokens: 4 });
  assert.ok(answer.choices[0].message.content);
});

test("an answer is JSON of the schema that was asked for", async () => {
  const schema = {
    type: "object",
    properties: { name: { type: "string", maxLength: 40 }, age: { type: "integer", minimum: 0, maximum: 150 } },
    required: ["name", "age"],
    additionalProperties: false,
  };
  const answer = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content: "Who is Ada?" }],
    temperature: 1,
    max_tokens: 200,
    response_format: { type: "json_schema", json_schema: { name: "person", strict: true, schema } },
  });
  assert.equal(answer.choices[0].finish_reason, "stop");
  const person = JSON.parse(answer.choices[0].message.content);
  assert.deepEqual(Object.keys(person).sort(), ["age", "name"]);
  assert.ok(Number.isInteger(person.age) && person.age >= 0 && person.age <= 150);
});

test("calls of tools are whole, and the SDK puts streamed ones together", async () => {
  const ask = {
    model,
    messages: [{ role: "user", content: "Will it rain in Ujiji?" }],
    tools: [weather],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_tokens: 200,
  };
  const whole = await client.chat.completions.create(ask);
  const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
  for (const answer of [whole, streamed]) {
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(call.function.name, "weather");
    assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)).sort(), ["place", "unit"]);
  }
});

test("a required call without tools is refused by name", async () => {
  await assert.rejects(client.chat.completions.create({ model, messages, tool_choice: "required" }), (error) => {
    assert.equal(error.status, 400);
    assert.equal(error.param, "tool_choice");
    return true;
  });
});
