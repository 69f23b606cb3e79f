"use strict";
const at = id => document.getElementById(id);
const made = (tag, text) => Object.assign(document.createElement(tag), text === undefined ? {} : {textContent: text});

function shown(document_, schema) {
  const name = (schema.$ref || "").split("/").pop();
  return JSON.stringify(name ? document_.components.schemas[name] : schema, null, 2);
}

async function begin() {
  const token = at("token").value;
  const answer = await fetch("/openapi.json", {headers: token ? {Authorization: `Bearer ${token}`} : {}});
  at("locked").hidden = answer.status !== 401;
  if (!answer.ok) return;
  const told = await answer.json();
  at("paths").replaceChildren(...Object.entries(told.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => {
    const details = made("details"), summary = made("summary");
    summary.append(made("code", `${method.toUpperCase()} ${path}`), ` ${one.summary}`);
    details.append(summary);
    for (const [kind, content] of Object.entries((one.requestBody || {content: {}}).content)) {
      details.append(made("h2", `Request, ${kind}`), made("pre", shown(told, content.schema)));
      if (content.example) details.append(made("h2", "Example"), made("pre", JSON.stringify(content.example, null, 2)));
    }
    const table = made("table");
    for (const [status, answer_] of Object.entries(one.responses)) {
      const row = made("tr");
      row.append(made("td", status), made("td", answer_.description));
      table.append(row);
    }
    details.append(made("h2", "Answers"), table);
    return details;
  })));
}

at("unlock").onclick = begin;
begin();
