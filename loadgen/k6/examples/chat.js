// Chat completions at a Poisson rate, the way independent users come, and a closed loop before it to warm up.
import { check } from 'k6';
import { Client } from 'k6/x/assay';

const chat = new Client({
  url: __ENV.URL || 'http://127.0.0.1:8080',
  model: __ENV.MODEL || 'tiny',
  token: __ENV.TOKEN, // not recorded anywhere
  deadline: '30s',
});

export const options = {
  scenarios: {
    warmup: { executor: 'constant-vus', vus: 2, duration: '5s', gracefulStop: '5s', tags: { assay_role: 'warmup' } },
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
    assay_failed: ['rate<0.01'],
  },
};

export default function () {
  const r = chat.request({ prompt: `Tell me about the number ${__ITER} of ${__VU}.`, maxTokens: 32 });
  check(r, {
    'answered in full': (r) => r.ok,
    'no gap above 1 s': (r) => !(r.maxGap > 1000),
  });
}
