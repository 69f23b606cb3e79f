"use strict";
const at = id => document.getElementById(id);
const made = (tag, text, more) => Object.assign(document.createElement(tag), text === undefined ? {} : {textContent: text}, more);
let models = [];

async function ask(path, options = {}) {
  const token = at("token").value;
  const headers = {...(options.headers || {}), ...(token ? {Authorization: `Bearer ${token}`} : {})};
  const answer = await fetch(path, {...options, headers});
  if (answer.status === 401) { at("locked").hidden = false; at("open").hidden = true; }
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error || `The server answered ${answer.status}.`);
  return told;
}

function fileOf(input, value) {
  const text = made("input", undefined, {type: "text", name: input.name, value: value || ""});
  const file = made("input", undefined, {type: "file"}), picture = made("img", undefined, {alt: "", hidden: true});
  const shown = () => { picture.hidden = !text.value; if (text.value) picture.src = `data:image/png;base64,${text.value}`; };
  picture.onerror = () => { picture.hidden = true; };
  text.oninput = shown;
  file.onchange = () => {
    const reader = new FileReader();
    reader.onload = () => { text.value = reader.result.slice(reader.result.indexOf(",") + 1); shown(); };
    if (file.files.length) reader.readAsDataURL(file.files[0]);
  };
  file.setAttribute("aria-label", `File for ${input.name}`);
  shown();
  const label = made("label", input.name + " ");
  label.append(made("small", "the content of a file, in base64"), text);
  const all = made("div");
  all.append(label, file, picture);
  return all;
}

function fieldOf(input, value) {
  if (input.shape) return fileOf(input, value);
  const numeric = /^(u?int\d+|double|float|halffloat|decimal.*)$/.test(input.type);
  const choices = input.categories ? input.categories.map(String) : input.type === "bool" ? ["true", "false"] : null;
  const field = choices ? made("select") : made("input", undefined, {type: "text", inputMode: numeric ? "decimal" : "text"});
  if (choices) {
    if (input.nullable) field.append(made("option", "", {value: ""}));
    for (const choice of choices) field.append(made("option", choice, {value: choice}));
  }
  field.name = input.name;
  field.value = value === null || value === undefined ? "" : String(value);
  const label = made("label", input.name + " ");
  label.append(made("small", input.type), field);
  return label;
}

function valueOf(input, text) {
  const kind = input.type.replace(/^dictionary<(.+?)(, ordered)?>$/, "$1");
  if (text === "" && (input.nullable || input.shape || kind !== "string")) return "null";
  if (kind === "bool") return text;
  if (/^(u?int\d+|double|float|halffloat)$/.test(kind) && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return text;
  return JSON.stringify(text);
}

function show(model) {
  at("title").textContent = model.name;
  document.title = `${model.name} – Mercury`;
  const what = model.targets.map(target => target.name).join(", ");
  at("about").textContent = `${model.model}, version ${model.version}${what ? `, predicts ${what}` : ""}`;
  const form = at("row");
  form.replaceChildren(...model.inputs.map(input => fieldOf(input, model.example[input.name])));
  const send = made("div", undefined, {className: "send"});
  send.append(made("button", "Predict", {type: "submit"}));
  form.append(send);
  form.onsubmit = event => { event.preventDefault(); predict(model, form); };
  at("signature").tBodies[0].replaceChildren(...model.inputs.map(input => {
    const row = made("tr");
    const values = input.categories ? input.categories.slice(0, 20).join(", ") + (input.categories.length > 20 ? ", …" : "") : input.shape ? `files, or arrays of ${input.shape.join(" × ")}` : "";
    row.append(made("td", input.name), made("td", input.type), made("td", input.nullable ? "yes" : "no"), made("td", values));
    return row;
  }));
  const measured = Object.entries(model.metrics).flatMap(([data, all]) => Object.entries(all || {}).map(([name, value]) => [data, name, value]));
  at("measured").hidden = !measured.length;
  at("metrics").tBodies[0].replaceChildren(...measured.map(([data, name, value]) => {
    const row = made("tr");
    row.append(made("td", data), made("td", name), made("td", typeof value === "object" ? JSON.stringify(value) : String(value), {className: "number"}));
    return row;
  }));
  at("result").hidden = true;
  at("problem").textContent = "";
  // Where there is no file to begin with, one has to be chosen first.
  if (model.inputs.every(input => !input.shape || form.elements[input.name].value)) predict(model, form);
}

async function predict(model, form) {
  const pairs = model.inputs.map(input => `${JSON.stringify(input.name)}:${valueOf(input, form.elements[input.name].value)}`);
  at("problem").textContent = "";
  try {
    const told = await ask(`/predict/${encodeURIComponent(model.name)}`, {
      method: "POST", headers: {"Content-Type": "application/json"}, body: `[{${pairs.join(",")}}]`});
    const rows = Object.entries(told.predictions[0]).map(([name, value]) => {
      const row = made("tr"), cell = made("td", value === null ? "none" : String(value), {className: "number"});
      if (name.startsWith("score_") && value >= 0 && value <= 1) cell.append(" ", made("progress", undefined, {value, max: 1}));
      row.append(made("th", name), cell);
      return row;
    });
    at("result").tBodies[0].replaceChildren(...rows);
    at("result").hidden = false;
  } catch (error) {
    at("result").hidden = true;
    at("problem").textContent = error.message;
  }
}

async function begin() {
  try {
    models = (await ask("/models.json")).models;
  } catch (error) {
    if (at("locked").hidden) document.body.append(made("p", error.message, {id: "failure"}));
    return;
  }
  at("locked").hidden = true;
  at("open").hidden = !models.length;
  if (!models.length) { document.body.append(made("p", "The models are being loaded: try again in a moment.")); return; }
  at("models").replaceChildren(...models.map(model => made("option", model.name, {value: model.name})));
  at("models").hidden = models.length < 2;
  at("models").onchange = () => show(models[at("models").selectedIndex]);
  show(models[0]);
}

at("unlock").onclick = begin;
begin();
