// What all of these tests know: where the gateway is, and what its panel answers.
// The Go test that starts both (node_test.go) says so in the environment.
import assert from 'node:assert/strict';
import { z } from 'zod';

const given = (name) => process.env[name] ?? assert.fail(`${name} is not set: run these by make clients`);

export const url = given('KAIZEN_URL');
export const key = given('KAIZEN_KEY');
export const slow = given('KAIZEN_SLOW_KEY'); // may ask once, and has
export const long = given('KAIZEN_LONG'); // what is said of Rome

export const product = 'What is 17 * 23?';
export const answer = 'The answer is 391.';
export const weather = 'What is the weather in Paris?';
export const degrees = '21 degrees';
export const forecast = 'It is 21 degrees in Paris.';
export const hang = 'Please take your time';
export const vanish = 'say nothing';

export const place = z.object({ city: z.string() });
export const factored = z.object({ product: z.int(), factors: z.array(z.int()) });
export const factors = { product: 391, factors: [17, 23] };

export const tokens = { input: 6 * 20, output: 6 * 7 }; // of all companions

export function checkVerdict(kaizen, headers) {
  assert.equal(kaizen.status, 'carried');
  assert.equal(kaizen.agreement, 1);
  assert.equal(kaizen.receipt, `/v1/deliberations/${kaizen.id}/receipt`);
  assert.equal(kaizen.usage.costMicroUsd, 6 * 34);
  if (headers) {
    assert.equal(headers.get('x-kaizen-deliberation'), kaizen.id);
    assert.equal(headers.get('x-kaizen-status'), 'carried');
  }
}
