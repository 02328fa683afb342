// The example operations, by who reads them.
import { useEditorContext } from "@graphiql/react";
import { useState } from "react";
import { settle } from "./gateway.js";
import { language, text } from "./texts.js";

const readers = ["frontend", "policy", "integrator", "operator"];

export function Examples({ all, personas, become }) {
  const { queryEditor, variableEditor } = useEditorContext({ nonNull: true });
  const [chosen, choose] = useState("");
  const use = async (e) => {
    if (personas) become(e.as);
    choose(e.name);
    const variables = await settle(e.variables);
    const head = [e.title[language], e.about[language]].filter(Boolean).map((l) => `# ${l}\n`);
    queryEditor.setValue(head.join("") + e.document);
    variableEditor.setValue(Object.keys(variables).length ? JSON.stringify(variables, null, 2) : "");
    queryEditor.focus();
  };
  return (
    <nav className="examples" aria-label={text.examples}>
      <p>{personas ? text.lead : text.leadReal}</p>
      {readers.map((r) => (
        <section key={r}>
          <h2>{text[r]}</h2>
          {all.filter((e) => e.reader === r).map((e) => (
            <button key={e.name} type="button" data-example={e.name} aria-current={e.name === chosen} onClick={() => use(e)}>
              <span>{e.title[language]}</span>
              {personas && <small>{personas.find((p) => p.account === e.as)?.name}</small>}
            </button>
          ))}
        </section>
      ))}
    </nav>
  );
}
