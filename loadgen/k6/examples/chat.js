// Chat completions at a Poisson rate, the way independent users come, and a closed loop before it to warm up.
import { check, sleep } from 'k6';
import { Client } from 'k6/x/assay';

const chat = new Client({
  url: __ENV.URL || 'http://127.0.0.1:8080',
  model: __ENV.MODEL || 'tiny',
  token: __ENV.TOKEN, // not recorded anywhere
  deadline: '30s',
});

export const options = {
  scenarios: {
    warmup: { executor: 'constant-vus', vus: 2, duration: '5s', gracefulStop: '5s', exec: 'warm', tags: { assay_role: 'warmup' } },
    steady: {
      executor: 'assay-arrivals',
      process: 'poisson',
      rate: 8,
      duration: '30s',
      startTime: '6s',
      gracefulStop: '30s',
      seed: 1,
      preAllocatedVUs: 50,
    },
  },
  thresholds: {
    'assay_ttft{scenario:steady}': ['p(95)<800'],
    // k6 takes the line above to hold where nothing was answered, so that how much must come is a threshold too: of about 240 requests.
    'assay_tokens_out{scenario:steady}': ['count>200'],
    assay_failed: ['rate<0.01'],
    checks: ['rate>0.99'],
  },
};

// warm asks again when it was answered, and after a second when it was not: what does not serve is not hammered.
export function warm() {
  const r = chat.request({ prompt: 'Are you there?', maxTokens: 8 });
  sleep(r.ok ? 0.1 : 1);
}

export default function () {
  const r = chat.request({ prompt: `Tell me about the number ${__ITER} of ${__VU}.`, maxTokens: 32 });
  check(r, {
    'answered in full': (r) => r.ok,
    'no gap above 1 s': (r) => !(r.maxGap > 1000),
  });
}
