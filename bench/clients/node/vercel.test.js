// The Vercel AI SDK, by each of its providers that speaks one of our forms.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, Output, generateObject, generateText, stepCountIs, streamText, tool } from 'ai';
import { answer, degrees, factored, factors, forecast, hang, key, long, place, product, url, vanish, weather } from './kaizen.js';

globalThis.AI_SDK_LOG_WARNINGS = false; // it does not know our models' limits

let opened = () => {}; // is called when a response has begun
const common = {
  baseURL: `${url}/v1`,
  apiKey: key,
  fetch: async (...request) => {
    const response = await fetch(...request);
    opened();
    return response;
  },
};
const openai = createOpenAI(common);
const compatible = createOpenAICompatible({ ...common, name: 'kaizen', supportsStructuredOutputs: true, includeUsage: true });
const anthropic = createAnthropic(common);

const models = {
  'openai, chat completions': [openai.chat('kaizen/standard')],
  'openai, responses': [openai.responses('kaizen/standard')],
  'openai-compatible': [compatible('kaizen/standard')],
  anthropic: [anthropic('kaizen/standard')],
  'anthropic, schemas as such': [anthropic('kaizen/standard'), { anthropic: { structuredOutputMode: 'outputFormat' } }],
};

for (const [name, [model, providerOptions]] of Object.entries(models)) {
  describe(name, () => {
    const asked = { model, providerOptions };

    test('generateText', async () => {
      const r = await generateText({ ...asked, instructions: 'Be brief.', prompt: product });
      assert.equal(r.text, answer);
      assert.equal(r.finishReason, 'stop');
      assert.ok(r.usage.inputTokens > 0 && r.usage.outputTokens > 0);
      assert.equal(r.response.headers['x-kaizen-status'], 'carried');
    });

    test('streamText', async () => {
      const r = streamText({ ...asked, prompt: 'What of Rome?' });
      let text = '';
      for await (const piece of r.textStream) text += piece;
      assert.equal(text, long);
      assert.equal(await r.finishReason, 'stop');
      assert.ok((await r.usage).outputTokens > 0);
    });

    test('structured output', async () => {
      assert.deepEqual((await generateText({ ...asked, prompt: product, output: Output.object({ schema: factored }) })).output, factors);
      assert.deepEqual((await generateObject({ ...asked, prompt: product, schema: factored })).object, factors);
      const streamed = streamText({ ...asked, prompt: product, output: Output.object({ schema: factored }) });
      assert.deepEqual(await streamed.output, factors);
    });

    test('tools, to the end', async () => {
      for (const ask of [generateText, streamText]) {
        const cities = [];
        const r = await ask({ ...asked, prompt: weather, stopWhen: stepCountIs(3),
          tools: { get_weather: tool({ description: 'The weather of a city.', inputSchema: place, execute: ({ city }) => { cities.push(city); return degrees; } }) } });
        assert.equal(await r.text, forecast);
        assert.equal((await r.steps).length, 2);
        assert.deepEqual(cities, ['Paris']);
      }
    });

    test('errors', async () => {
      await assert.rejects(generateText({ ...asked, prompt: vanish, maxRetries: 0 }), (e) => APICallError.isInstance(e) && e.statusCode === 503 && JSON.parse(e.responseBody).kaizen.status === 'inquorate');
      let failed;
      const r = streamText({ ...asked, prompt: vanish, maxRetries: 0, onError: ({ error }) => { failed = error; } });
      await r.consumeStream();
      assert.ok(failed, 'a stream that ends with an error says so');
    });

    test('a stream that is left', async () => {
      const leaving = new AbortController();
      opened = () => leaving.abort();
      const r = streamText({ ...asked, prompt: hang, abortSignal: leaving.signal });
      const parts = [];
      for await (const part of r.fullStream) parts.push(part.type);
      assert.equal(parts.at(-1), 'abort');
    });
  });
}
