// Shows /openapi.json. Everything is put in as text, never as markup.

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** An element with attributes and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined && child !== ''));
  return element;
}

function table(headings, rows) {
  const head = make('tr', {}, ...headings.map((heading) => make('th', { scope: 'col' }, heading)));
  const body = rows.map((row) => make('tr', {}, ...row.map((cell) => make('td', {}, cell))));
  return make('table', {}, make('thead', {}, head), make('tbody', {}, ...body));
}

/** A schema in a few words. */
function words(schema) {
  if (schema === undefined) return '';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.anyOf !== undefined) return schema.anyOf.map(words).join(' | ');
  if (schema.type === 'array') return `list of ${words(schema.items)}`;
  if (schema.type === 'object' && schema.title !== undefined) return schema.title;
  return String(schema.type ?? 'anything');
}

function fields(schema) {
  if (schema?.properties === undefined) return undefined;
  const required = new Set(schema.required ?? []);
  return table(
    ['Field', 'Type', 'Meaning'],
    Object.entries(schema.properties).map(([name, property]) => [
      make('code', {}, required.has(name) ? name : `${name}?`),
      words(property),
      property.description ?? '',
    ]),
  );
}

function contentOf(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    make('code', {}, type),
    ' ',
    words(schema),
  ]);
}

function parametersOf(operation) {
  if ((operation.parameters ?? []).length === 0) return undefined;
  return table(
    ['Parameter', 'In', 'Type', 'Meaning'],
    operation.parameters.map((parameter) => [
      make('code', {}, parameter.required ? parameter.name : `${parameter.name}?`),
      parameter.in,
      words(parameter.schema),
      parameter.description ?? parameter.schema?.description ?? '',
    ]),
  );
}

function showOperation(id, method, path, operation) {
  const body = operation.requestBody?.content?.['application/json']?.schema;
  const answers = Object.entries(operation.responses ?? {}).map(([status, answer]) => [
    status,
    answer.description ?? '',
    make('span', {}, ...contentOf(answer.content)),
  ]);
  return make(
    'article',
    { id },
    make('h3', {}, make('span', { class: 'method' }, method.toUpperCase()), make('code', {}, path)),
    make(
      'p',
      {},
      operation.summary ?? '',
      operation.description === undefined ? '' : `. ${operation.description}`,
    ),
    parametersOf(operation),
    body === undefined ? undefined : make('p', {}, 'Body: ', words(body), '. ', body.description ?? ''),
    fields(body),
    table(['Status', 'When', 'Body'], answers),
  );
}

function operationsByTag(spec) {
  const tags = new Map();
  for (const [path, item] of Object.entries(spec.paths)) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      const tag = operation.tags?.[0] ?? 'other';
      if (!tags.has(tag)) tags.set(tag, []);
      tags.get(tag).push({ id: `${method}-${path.replace(/[^a-z0-9]+/gi, '-')}`, method, path, operation });
    }
  }
  return tags;
}

function showSpec(spec) {
  const about = document.getElementById('about');
  about.replaceChildren(
    `${spec.info.description} Version ${spec.info.version}. The document: `,
    make('a', { href: '/openapi.json' }, '/openapi.json'),
    '.',
  );
  for (const [tag, operations] of operationsByTag(spec)) {
    const links = operations.map(({ id, method, path }) =>
      make('li', {}, make('a', { href: `#${id}` }, `${method.toUpperCase()} ${path}`)),
    );
    document.getElementById('index').append(make('ul', {}, ...links));
    const shown = operations.map(({ id, method, path, operation }) =>
      showOperation(id, method, path, operation),
    );
    document.getElementById('operations').append(make('section', {}, make('h2', {}, tag), ...shown));
  }
}

function showProblems(problems) {
  const rows = problems.map(({ type, status, title, help }) => [
    make('a', { href: type }, type),
    String(status),
    `${title}. ${help}`,
  ]);
  document.getElementById('problems').append(table(['Type', 'Status', 'Meaning'], rows));
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${String(answer.status)}`);
  return answer.json();
}

try {
  const [spec, problems] = await Promise.all([read('/openapi.json'), read('/problems')]);
  showSpec(spec);
  showProblems(problems.items);
} catch (error) {
  document.getElementById('about').textContent = `Could not be read: ${String(error)}`;
}
