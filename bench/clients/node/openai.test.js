import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { answer, checkVerdict, degrees, factored, factors, forecast, hang, key, long, place, product, slow, tokens, url, vanish, weather } from './kaizen.js';

const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const kaizen = { wait: 'all' };
const user = (content) => [{ role: 'user', content }];
const tool = zodFunction({ name: 'get_weather', description: 'The weather of a city.', parameters: place });

describe('chat completions', () => {
  test('whole', async () => {
    const { data, response, request_id } = await client.chat.completions.create({ model: 'kaizen/high', messages: user(product), kaizen }).withResponse();
    assert.equal(data.choices[0].message.content, answer);
    assert.equal(data.choices[0].finish_reason, 'stop');
    assert.deepEqual(data.usage, { prompt_tokens: tokens.input, completion_tokens: tokens.output, total_tokens: tokens.input + tokens.output });
    checkVerdict(data.kaizen, response.headers);
    assert.equal(request_id, data.kaizen.id);
  });

  test('in chunks', async () => {
    const stream = await client.chat.completions.create({ model: 'kaizen/standard', messages: user('What of Rome?'), kaizen, stream: true, stream_options: { include_usage: true } });
    let text = '', verdict, usage, chunks = 0;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? '';
      verdict ??= chunk.kaizen;
      usage = chunk.usage ?? usage;
      chunks++;
    }
    assert.equal(text, long);
    assert.ok(chunks > 10);
    assert.equal(usage.total_tokens, tokens.input + tokens.output);
    checkVerdict(verdict);
  });

  test('by the helper for streams', async () => {
    const stream = client.chat.completions.stream({ model: 'kaizen/standard', messages: user('What of Rome?'), kaizen });
    let text = '';
    stream.on('content', (delta) => (text += delta));
    const final = await stream.finalChatCompletion();
    assert.equal(text, long);
    assert.equal(final.choices[0].message.content, long);
  });

  for (const stream of [false, true]) {
    test(`tools that are run, streamed: ${stream}`, async () => {
      const cities = [];
      const runner = client.chat.completions.runTools({
        model: 'kaizen/standard', messages: user(weather), kaizen, stream,
        tools: [{ type: 'function', function: { name: 'get_weather', description: 'The weather of a city.', parameters: tool.function.parameters, parse: JSON.parse,
          function: ({ city }) => { cities.push(city); return degrees; } } }],
      });
      assert.equal(await runner.finalContent(), forecast);
      assert.deepEqual(cities, ['Paris']);
      assert.equal((await runner.finalChatCompletion()).choices[0].finish_reason, 'stop');
    });
  }

  test('a strict tool that must be called', async () => {
    const c = await client.chat.completions.parse({ model: 'kaizen/standard', messages: user(weather), kaizen, tools: [tool], tool_choice: 'required', parallel_tool_calls: false });
    const [call] = c.choices[0].message.tool_calls;
    assert.deepEqual(call.function.parsed_arguments, { city: 'Paris' });
    assert.equal(c.choices[0].finish_reason, 'tool_calls');
  });

  test('a schema', async () => {
    const response_format = zodResponseFormat(factored, 'product');
    const c = await client.chat.completions.parse({ model: 'kaizen/standard', messages: user(product), kaizen, response_format });
    assert.deepEqual(c.choices[0].message.parsed, factors);
    const streamed = await client.chat.completions.stream({ model: 'kaizen/standard', messages: user(product), kaizen, response_format }).finalChatCompletion();
    assert.deepEqual(streamed.choices[0].message.parsed, factors);
  });
});

describe('responses', () => {
  test('whole', async () => {
    const r = await client.responses.create({ model: 'kaizen/standard', input: product, instructions: 'Be brief.', kaizen });
    assert.equal(r.output_text, answer);
    assert.equal(r.status, 'completed');
    assert.equal(r.usage.total_tokens, tokens.input + tokens.output);
    checkVerdict(r.kaizen);
  });

  test('streamed', async () => {
    const stream = client.responses.stream({ model: 'kaizen/standard', input: 'What of Rome?', kaizen });
    let text = '';
    stream.on('response.output_text.delta', (e) => (text += e.delta));
    const r = await stream.finalResponse();
    assert.equal(text, long);
    assert.equal(r.output_text, long);
    checkVerdict(r.kaizen);
  });

  for (const streamed of [false, true]) {
    test(`a tool, and back, streamed: ${streamed}`, async () => {
      const tools = [{ type: 'function', name: 'get_weather', parameters: tool.function.parameters, strict: true }];
      const ask = (input) => {
        const body = { model: 'kaizen/standard', input, tools, kaizen };
        return streamed ? client.responses.stream(body).finalResponse() : client.responses.create(body);
      };
      const input = user(weather);
      const asked = await ask(input);
      const [call] = asked.output;
      assert.equal(call.type, 'function_call');
      assert.deepEqual(JSON.parse(call.arguments), { city: 'Paris' });
      const told = await ask([...input, ...asked.output, { type: 'function_call_output', call_id: call.call_id, output: degrees }]);
      assert.equal(told.output_text, forecast);
    });
  }

  test('a schema', async () => {
    const text = { format: zodTextFormat(factored, 'product') };
    assert.deepEqual((await client.responses.parse({ model: 'kaizen/standard', input: product, kaizen, text })).output_parsed, factors);
    assert.deepEqual((await client.responses.stream({ model: 'kaizen/standard', input: product, kaizen, text }).finalResponse()).output_parsed, factors);
  });
});

test('models', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.deepEqual(ids, ['kaizen/auto', 'kaizen/research', 'kaizen/standard', 'kaizen/high', 'kaizen/critical']);
  assert.equal((await client.models.retrieve('kaizen/high')).id, 'kaizen/high');
});

describe('errors', () => {
  const ask = (more, options) => client.chat.completions.create({ model: 'kaizen/standard', messages: user(product), ...more }, options);
  const once = { maxRetries: 0 };

  test('are those of the SDK', async () => {
    await assert.rejects(client.withOptions({ apiKey: 'sk-nobody' }).models.list(), OpenAI.AuthenticationError);
    await assert.rejects(ask({ model: 'gpt-5' }), (e) => e instanceof OpenAI.NotFoundError && e.code === 'model_not_found' && e.param === 'model');
    await assert.rejects(ask({ n: 2 }), (e) => e instanceof OpenAI.BadRequestError && e.code === 'unsupported_parameter' && e.param === 'n');
    await assert.rejects(ask({ kaizen: { operation: 'wallet.transfer' }, model: 'kaizen/critical' }),
      (e) => e instanceof OpenAI.ConflictError && e.code === 'pending' && e.headers.get('x-kaizen-deliberation').startsWith('dlb_') && e.requestID === e.headers.get('x-kaizen-deliberation'));
    await assert.rejects(client.withOptions({ apiKey: slow, maxRetries: 0 }).chat.completions.create({ model: 'kaizen/standard', messages: user(product) }),
      (e) => e instanceof OpenAI.RateLimitError && e.code === 'rate_limited' && Number(e.headers.get('retry-after')) > 0);
    await assert.rejects(ask({ messages: user(vanish), kaizen }, once), (e) => e instanceof OpenAI.InternalServerError && e.status === 503 && e.code === 'inquorate');
  });

  test('end a stream', async () => {
    const stream = await ask({ messages: user(vanish), kaizen, stream: true }, once);
    await assert.rejects(async () => { for await (const chunk of stream) assert.fail(chunk); }, (e) => e instanceof OpenAI.APIError && e.code === 'inquorate');
    const responses = client.responses.stream({ model: 'kaizen/standard', input: vanish, kaizen }, once);
    await assert.rejects(responses.finalResponse(), (e) => e instanceof OpenAI.APIError && e.code === 'inquorate');
  });
});

test('a stream that is left', async () => {
  const stream = await client.chat.completions.create({ model: 'kaizen/standard', messages: user(hang), stream: true });
  stream.controller.abort();
  for await (const chunk of stream) assert.fail(chunk);
});
