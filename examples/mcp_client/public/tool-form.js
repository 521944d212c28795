// Forms for the tools of MCP servers: the fields come from a JSON Schema, as does what they are read as.

/** The fields of an object's schema. */
export function fieldsOf(schema) {
  return Object.entries(schema?.properties ?? {}).map(([name, field]) => {
    const label = document.createElement("label");
    const choices = field.enum ?? field.anyOf?.find((one) => one.enum)?.enum;
    const input = document.createElement(choices ? "select" : "input");
    if (choices) input.append(...choices.map((one) => new Option(one, one)));
    else if (field.type === "boolean") input.type = "checkbox";
    else if (["number", "integer"].includes(field.type)) Object.assign(input, { type: "number", step: field.type === "integer" ? 1 : "any" });
    input.name = name;
    if (field.type === "boolean") input.checked = Boolean(field.default);
    else if (field.default !== undefined) input.value = field.default;
    input.required = field.type !== "boolean" && (schema.required ?? []).includes(name);
    const title = document.createElement("span");
    title.textContent = field.title ?? name;
    const hint = document.createElement("small");
    hint.textContent = field.description ?? "";
    label.append(title, input, hint);
    return label;
  });
}

/** What was filled in: what is empty and may be left out is left out. */
export function valuesOf(form) {
  const values = {};
  for (const { name, type, value, checked, required } of form.elements) {
    if (!name) continue;
    if (type === "checkbox") values[name] = checked;
    else if (value !== "" || required) values[name] = type === "number" ? Number(value) : value;
  }
  return values;
}

/** The result of a tool as a text. */
export function textOf({ content = [], structuredContent }) {
  if (structuredContent !== undefined) return JSON.stringify(structuredContent, null, 2);
  return content.map((part) => part.text ?? `(${part.type})`).join("\n") || "(nothing)";
}
