// Who asks: in the demo one of its people, elsewhere whoever the token or the key names.
import { useState } from "react";
import { become } from "./gateway.js";
import { text } from "./texts.js";

export function Personas({ all, account, onChange }) {
  const now = all.find((p) => p.account === account);
  return (
    <label className="who">
      <span>{text.persona}</span>
      <select aria-label={text.persona} value={account} onChange={(e) => onChange(e.target.value)}>
        <option value="">{text.nobody}</option>
        {all.map((p) => (
          <option key={p.account} value={p.account}>{`${p.name} · ${p.account} · ${p.roles.join(", ")}`}</option>
        ))}
      </select>
      {now && <span className="roles">{now.roles.map((r) => <i key={r}>{r}</i>)}</span>}
    </label>
  );
}

export function Credentials({ onChange }) {
  const [kind, setKind] = useState("bearer");
  const [secret, setSecret] = useState("");
  const use = (kind, secret) => {
    setKind(kind);
    setSecret(secret);
    const given = secret.trim();
    become(!given ? {} : kind === "bearer" ? { Authorization: `Bearer ${given}` } : { "X-API-Key": given });
    onChange();
  };
  return (
    <form className="who" autoComplete="off" onSubmit={(e) => e.preventDefault()} title={text.kept}>
      <select aria-label={text.token} value={kind} onChange={(e) => use(e.target.value, secret)}>
        <option value="bearer">{text.bearer}</option>
        <option value="key">{text.key}</option>
      </select>
      <input type="password" autoComplete="off" spellCheck="false" aria-label={kind === "bearer" ? text.tokenHint : text.keyHint}
        placeholder={kind === "bearer" ? text.tokenHint : text.keyHint} value={secret} onChange={(e) => use(kind, e.target.value)} />
      <span className="kept">{text.kept}</span>
    </form>
  );
}
