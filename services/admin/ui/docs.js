// Shows /openapi.json. Everything is put in as text, never as markup.

const METHODS = ['get', 'put', 'post', 'delete', 'patch'];

/** An element with attributes and children; strings become text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== undefined && child !== ''));
  return element;
}

/** A table in a frame of its own, which scrolls when the window is too narrow for it. */
function table(kind, headings, rows) {
  const head = make('tr', {}, ...headings.map((heading) => make('th', { scope: 'col' }, heading)));
  const body = rows.map((row) => make('tr', {}, ...row.map((cell) => make('td', {}, ...[cell].flat()))));
  return make(
    'div',
    { class: 'frame' },
    make('table', { class: kind }, make('thead', {}, head), make('tbody', {}, ...body)),
  );
}

/** Bodies that have a name, each shown once, at the end; by name. */
const bodies = new Map();

/** The members of a list with `between` put between each two. */
function join(parts, between) {
  return parts.flatMap((part, index) => (index === 0 ? part : [between, part].flat()));
}

/** A schema in a few words, with links to the bodies that have a name. */
function words(schema) {
  if (schema === undefined || schema.type === 'null') return [];
  if (schema.const !== undefined) return [make('code', {}, JSON.stringify(schema.const))];
  if (schema.enum !== undefined) {
    return join(
      schema.enum.map((value) => [make('code', {}, JSON.stringify(value))]),
      ' or ',
    );
  }
  if (schema.anyOf !== undefined) return join(schema.anyOf.map(words), ' or ');
  if (schema.type === 'array') return ['list of ', ...words(schema.items)];
  if (schema.type !== 'object') return [String(schema.type ?? 'anything')];
  if (schema.title !== undefined) {
    nameBody(schema);
    return [make('a', { href: `#body-${schema.title}` }, schema.title)];
  }
  const [value = schema.additionalProperties] = Object.values(schema.patternProperties ?? {});
  if (typeof value === 'object') return ['by name: ', ...words(value)];
  const required = new Set(schema.required ?? []);
  const members = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    make('code', {}, required.has(name) ? name : `${name}?`),
    ': ',
    ...words(property),
  ]);
  return members.length === 0 ? ['object'] : join(members, ', ');
}

function nameBody(schema) {
  if (bodies.has(schema.title)) return;
  bodies.set(schema.title, schema);
  // What it consists of may have names too.
  for (const property of Object.values(schema.properties ?? {})) words(property);
}

function fields(schema) {
  if (schema?.properties === undefined) return undefined;
  const required = new Set(schema.required ?? []);
  return table(
    'fields',
    ['Field', 'Type', 'Meaning'],
    Object.entries(schema.properties).map(([name, property]) => [
      make('code', {}, required.has(name) ? name : `${name}?`),
      words(property),
      property.description ?? '',
    ]),
  );
}

function contentOf(content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) =>
    type === 'application/json' || type === 'application/problem+json'
      ? words(schema)
      : [make('code', {}, type), ' ', ...words(schema)],
  );
}

function parametersOf(operation) {
  if ((operation.parameters ?? []).length === 0) return undefined;
  return table(
    'parameters',
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
    contentOf(answer.content),
  ]);
  return make(
    'article',
    { id },
    make('h3', {}, make('span', { class: `method ${method}` }, method.toUpperCase()), make('code', {}, path)),
    make('p', {}, `${operation.summary ?? ''}. ${operation.description ?? ''}`),
    parametersOf(operation),
    body === undefined
      ? undefined
      : make(
          'p',
          {},
          'Takes ',
          ...words(body),
          body.description === undefined ? '.' : `: ${body.description}`,
        ),
    table('answers', ['Status', 'When', 'Body'], answers),
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
      make(
        'li',
        {},
        make(
          'a',
          { href: `#${id}` },
          make('span', { class: `method ${method}` }, method.toUpperCase()),
          make('code', {}, path),
        ),
      ),
    );
    document
      .getElementById('index')
      .append(
        make(
          'section',
          {},
          make('p', { class: 'tag' }, make('a', { href: `#tag-${tag}` }, tag)),
          make('ul', {}, ...links),
        ),
      );
    const shown = operations.map(({ id, method, path, operation }) =>
      showOperation(id, method, path, operation),
    );
    document
      .getElementById('operations')
      .append(make('section', { id: `tag-${tag}` }, make('h2', {}, tag), ...shown));
  }
}

function showBodies() {
  for (const [title, schema] of bodies) {
    const article = make(
      'article',
      { id: `body-${title}` },
      make('h3', {}, make('code', {}, title)),
      schema.description === undefined ? undefined : make('p', {}, schema.description),
      fields(schema),
    );
    document.getElementById('bodies').append(article);
  }
}

function showProblems(problems) {
  const rows = problems.map(({ type, status, title, help }) => [
    make('a', { href: type }, make('code', {}, type)),
    String(status),
    `${title}. ${help}`,
  ]);
  document.getElementById('problems').append(table('problems', ['Type', 'Status', 'Meaning'], rows));
}

async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${String(answer.status)}`);
  return answer.json();
}

try {
  const [spec, problems] = await Promise.all([read('/openapi.json'), read('/problems')]);
  showSpec(spec);
  showBodies();
  showProblems(problems.items);
  // What the address names was not there yet when the browser looked for it.
  document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
} catch (error) {
  document.getElementById('about').textContent = `Could not be read: ${String(error)}`;
}
