// What policy said to the operation that was run: outcome, rule, file and line, so that nobody has to look for it in
// the answer.
import { text } from "./texts.js";

// verdicts finds the decisions of an answer, wherever they stand, the strictest first.
export function verdicts(answer) {
  const found = new Map();
  const rank = { DENY: 0, REVIEW: 1, ALLOW: 2 };
  const visit = (at, sentence) => {
    if (Array.isArray(at)) at.forEach((v) => visit(v, sentence));
    else if (at && typeof at === "object") {
      const said = typeof at.message === "string" ? at.message : sentence;
      if (at.outcome in rank && Array.isArray(at.rules)) {
        const sentence = typeof at.reason === "string" ? at.reason : said;
        const key = JSON.stringify([at.outcome, at.rules]);
        if (!found.has(key) || !found.get(key).sentence) found.set(key, { outcome: at.outcome, rules: at.rules, sentence });
      }
      Object.values(at).forEach((v) => visit(v, said));
    }
  };
  visit(answer?.data, "");
  return [...found.values()].sort((a, b) => rank[a.outcome] - rank[b.outcome]).slice(0, 3);
}

export function Verdict({ answer }) {
  const all = verdicts(answer);
  if (all.length === 0) return null;
  return (
    <ul className="verdicts" aria-live="polite">
      {all.map((v, i) => (
        <li key={i} className={`verdict ${v.outcome.toLowerCase()}`}>
          <strong>{text[v.outcome]}</strong>
          {v.sentence && <span className="sentence">{v.sentence}</span>}
          {v.rules.filter((r) => r?.name).map((r, j) => (
            <code key={j}>
              {r.name}
              {r.file && <small>{r.file}{r.line ? `:${r.line}` : ""}</small>}
            </code>
          ))}
        </li>
      ))}
    </ul>
  );
}
