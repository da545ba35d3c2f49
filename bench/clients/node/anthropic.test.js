import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaZodTool } from '@anthropic-ai/sdk/helpers/beta/zod';
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod';
import { answer, checkVerdict, degrees, factored, factors, forecast, hang, key, long, place, product, slow, tokens, url, vanish, weather } from './kaizen.js';

const client = new Anthropic({ baseURL: url, apiKey: key });
const kaizen = { wait: 'all' };
const asking = (content, more) => ({ model: 'kaizen/standard', max_tokens: 1000, messages: [{ role: 'user', content }], kaizen, ...more });

describe('messages', () => {
  test('whole', async () => {
    const { data, response, request_id } = await client.messages.create(asking(product, { system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }] })).withResponse();
    assert.deepEqual(data.content.map((b) => b.text), [answer]);
    assert.equal(data.stop_reason, 'end_turn');
    assert.equal(data.usage.input_tokens, tokens.input);
    assert.equal(data.usage.output_tokens, tokens.output);
    checkVerdict(data.kaizen, response.headers);
    assert.equal(request_id, data.kaizen.id);
  });

  test('streamed', async () => {
    const stream = client.messages.stream(asking('What of Rome?'));
    let text = '';
    stream.on('text', (delta) => (text += delta));
    const final = await stream.finalMessage();
    assert.equal(text, long);
    assert.equal(await stream.finalText(), long);
    assert.equal(final.usage.output_tokens, tokens.output);
    checkVerdict(final.kaizen);
    const types = [];
    for await (const event of await client.messages.create({ ...asking(product), stream: true })) types.push(event.type);
    assert.equal(types[0], 'message_start');
    assert.equal(types.at(-1), 'message_stop');
  });

  for (const streamed of [false, true]) {
    test(`a tool, and back, streamed: ${streamed}`, async () => {
      const tools = [{ name: 'get_weather', description: 'The weather of a city.', input_schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } }];
      const ask = (body) => (streamed ? client.messages.stream(body).finalMessage() : client.messages.create(body));
      const first = asking(weather, { tools });
      const asked = await ask(first);
      assert.equal(asked.stop_reason, 'tool_use');
      const [call] = asked.content;
      assert.deepEqual(call.input, { city: 'Paris' });
      const told = await ask({ ...first, messages: [...first.messages, { role: 'assistant', content: asked.content }, { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: degrees }] }] });
      assert.equal(told.content[0].text, forecast);
    });

    test(`tools that are run, streamed: ${streamed}`, async () => {
      const cities = [];
      const tool = betaZodTool({ name: 'get_weather', description: 'The weather of a city.', inputSchema: place, run: ({ city }) => { cities.push(city); return degrees; } });
      const final = await client.beta.messages.toolRunner({ ...asking(weather), tools: [tool], stream: streamed });
      assert.equal(final.content[0].text, forecast);
      assert.deepEqual(cities, ['Paris']);
    });
  }

  test('a schema', async () => {
    const parsed = await client.messages.parse(asking(product, { output_config: { format: zodOutputFormat(factored) } }));
    assert.deepEqual(parsed.parsed_output, factors);
  });
});

test('models', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.deepEqual(ids, ['kaizen/auto', 'kaizen/research', 'kaizen/standard', 'kaizen/high', 'kaizen/critical']);
  assert.equal((await client.models.retrieve('kaizen/high')).type, 'model');
});

describe('errors', () => {
  const ask = (more, options) => client.messages.create(asking(product, more), options);
  const once = { maxRetries: 0 };

  test('are those of the SDK', async () => {
    await assert.rejects(client.withOptions({ apiKey: 'sk-nobody' }).messages.create(asking(product)), (e) => e instanceof Anthropic.AuthenticationError && e.type === 'authentication_error');
    await assert.rejects(ask({ model: 'claude' }), (e) => e instanceof Anthropic.NotFoundError && e.type === 'not_found_error');
    await assert.rejects(ask({ top_k: 3 }), (e) => e instanceof Anthropic.BadRequestError && e.error.kaizen.details[0].field === 'top_k');
    await assert.rejects(ask({ kaizen: { operation: 'wallet.transfer' }, model: 'kaizen/critical' }),
      (e) => e instanceof Anthropic.ConflictError && e.error.kaizen.status === 'pending' && e.requestID === e.error.kaizen.id);
    await assert.rejects(client.withOptions({ apiKey: slow, maxRetries: 0 }).messages.create(asking(product)),
      (e) => e instanceof Anthropic.RateLimitError && Number(e.headers.get('retry-after')) > 0);
    await assert.rejects(client.messages.create(asking(vanish), once), (e) => e instanceof Anthropic.InternalServerError && e.status === 503 && e.error.kaizen.status === 'inquorate');
  });

  test('end a stream', async () => {
    await assert.rejects(client.messages.stream(asking(vanish), once).finalMessage(), (e) => e instanceof Anthropic.APIError && e.error.kaizen.status === 'inquorate');
  });
});

test('a stream that is left', async () => {
  const stream = await client.messages.create({ ...asking(hang), stream: true });
  stream.controller.abort();
  for await (const event of stream) assert.fail(event);
});
