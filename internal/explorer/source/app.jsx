// The explorer: GraphiQL with who asks above it, examples beside it, and policy's word below the answer.
import { DOC_EXPLORER_PLUGIN, DocExplorerContextProvider } from "@graphiql/plugin-doc-explorer";
import { HISTORY_PLUGIN, HistoryContextProvider } from "@graphiql/plugin-history";
import { GraphiQL, GraphiQLInterface, GraphiQLProvider } from "graphiql";
import { StrictMode, useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import "graphiql/style.css";
import "./style.css";
import { Examples } from "./examples.jsx";
import { become, fetcher } from "./gateway.js";
import { Credentials, Personas } from "./identity.jsx";
import { language, text } from "./texts.js";
import { Verdict } from "./verdict.jsx";

const viewer = "{\n  viewer {\n    roles\n    member {\n      name\n      position\n    }\n  }\n}\n";
const plugins = [DOC_EXPLORER_PLUGIN, HISTORY_PLUGIN];

function App({ examples, personas }) {
  const [account, setAccount] = useState("");
  const [answer, setAnswer] = useState(null);
  const [listed, setListed] = useState(true);
  const run = useMemo(() => fetcher(setAnswer), []);
  const persona = (account) => {
    const p = personas.find((p) => p.account === account);
    become(p ? { Authorization: `Bearer ${p.token}` } : {});
    setAccount(account);
    setAnswer(null);
  };
  // What is typed stays with the tab and goes with it: variables name people. Answers are not kept at all.
  return (
    <GraphiQLProvider fetcher={run} storage={sessionStorage} plugins={plugins} referencePlugin={DOC_EXPLORER_PLUGIN}
      defaultQuery={`${text.hello}\n${viewer}`} shouldPersistHeaders={false}>
      <HistoryContextProvider>
        <DocExplorerContextProvider>
          <header className="bar">
            <button type="button" className="toggle" aria-expanded={listed} onClick={() => setListed(!listed)}>{text.examples}</button>
            <span className="brand">guanxi <b>关系</b></span>
            {personas && <span className="badge">{text.demo}</span>}
            {personas ? <Personas all={personas} account={account} onChange={persona} /> : <Credentials onChange={() => setAnswer(null)} />}
          </header>
          <main>
            {listed && <Examples all={examples} personas={personas} become={persona} />}
            <GraphiQLInterface defaultEditorToolsVisibility="variables" isHeadersEditorEnabled={false} showPersistHeadersSettings={false}>
              <GraphiQL.Logo><span /></GraphiQL.Logo>
              <GraphiQL.Footer><Verdict answer={answer} /></GraphiQL.Footer>
            </GraphiQLInterface>
          </main>
        </DocExplorerContextProvider>
      </HistoryContextProvider>
    </GraphiQLProvider>
  );
}

const get = async (path) => (await fetch(new URL(path, document.baseURI))).json();

async function start() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  const root = createRoot(document.getElementById("root"));
  try {
    const { demo, examples } = await get("explorer/settings.json");
    const personas = demo ? await get("demo/personas") : null;
    root.render(<StrictMode><App examples={examples} personas={personas} /></StrictMode>);
  } catch {
    root.render(<p className="unreachable">{text.unreachable}</p>);
  }
}

start();
