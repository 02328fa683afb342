// How the explorer speaks to its gateway, and to nothing else.
import { createClient } from "graphql-sse";
import { getOperationAST } from "graphql";
import { language, text } from "./texts.js";

// identity is who asks. It lives in this variable alone: neither storage nor the address has it.
let identity = {};

export function become(headers) {
  identity = headers;
}

const speak = () => ({ ...identity, "Accept-Language": language === "zh" ? "zh-CN" : "en" });

// Relative to the page, so that a reverse proxy may serve the gateway below a path of its own.
const endpoint = new URL("graphql", document.baseURI).href;

export async function ask(params) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json, application/json", ...speak() },
    body: JSON.stringify(params),
  });
  return response.json();
}

const streams = createClient({ url: endpoint, headers: speak, retryAttempts: 5 });

function follow(params) {
  return {
    subscribe(sink) {
      const stop = streams.subscribe(params, {
        next: (answer) => sink.next(answer),
        error: (e) => sink.error(Array.isArray(e) ? { errors: e } : { message: e.message ?? text.unreachable }),
        complete: () => sink.complete(),
      });
      return { unsubscribe: stop };
    },
  };
}

// fetcher is what GraphiQL runs operations with; seen is shown each answer.
export function fetcher(seen) {
  return async (params, options) => {
    const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
    seen(null);
    if (operation?.operation === "subscription") return follow(params);
    const answer = await ask(params);
    if (params.operationName !== "IntrospectionQuery") seen(answer);
    return answer;
  };
}

// settle finds the values of an example's variables: those that are written, and those that a question answers.
export async function settle(variables) {
  const out = {};
  for (const v of variables) {
    out[v.name] = v.value;
    if (v.query) {
      const answer = await ask({ query: v.query }).catch(() => null);
      out[v.name] = v.path.split(".").reduce((at, key) => at?.[key], answer?.data) ?? `… ${text.missing}`;
    }
  }
  return out;
}
