import { useEffect, useState } from 'preact/hooks';
import { get } from '../api.ts';
import { asError } from './hooks.ts';

/*
 * A form made from the schema that the REST interface checks bodies with (/openapi.json), so that a setting which is new there is
 * here too.
 */

interface Schema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Spec {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<string, { readonly requestBody?: { readonly content: Record<string, { schema: Schema }> } }>
      >
    >
  >;
}

export type Values = Readonly<Record<string, unknown>>;
type Kind = 'integer' | 'boolean' | 'choice' | 'several' | 'list' | 'text' | 'group';

let spec: Promise<Spec> | undefined;

/** The fields of the body that `PUT path` takes. */
export function useBodySchema(path: string): {
  readonly schema: Schema | undefined;
  readonly error: Error | undefined;
} {
  const [state, setState] = useState<{ schema?: Schema; error?: Error }>({});
  useEffect(() => {
    spec ??= get<Spec>('/openapi.json');
    spec.then(
      ({ paths }) => {
        const schema = paths[path]?.['put']?.requestBody?.content['application/json']?.schema;
        setState(schema === undefined ? {} : { schema });
      },
      (error: unknown) => {
        spec = undefined;
        setState({ error: asError(error) });
      },
    );
  }, [path]);
  return { schema: state.schema, error: state.error };
}

function wordsOf(schema: Schema | undefined): readonly string[] | undefined {
  // A choice is written as one enum, or as one constant or enum of one for each word.
  const values = schema?.enum ?? schema?.anyOf?.map((one) => one.const ?? one.enum?.[0]);
  return values?.every((value) => typeof value === 'string') === true ? values : undefined;
}

function kindOf(schema: Schema): Kind {
  if (schema.type === 'integer' || schema.type === 'number') return 'integer';
  if (schema.type === 'boolean') return 'boolean';
  if (wordsOf(schema) !== undefined) return 'choice';
  if (schema.type === 'array') return wordsOf(schema.items) === undefined ? 'list' : 'several';
  return schema.type === 'object' ? 'group' : 'text';
}

/** `minExpires` as people write it. */
export const titleOf = (name: string): string => {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function Field({
  name,
  schema,
  value,
  onChange,
}: {
  name: string;
  schema: Schema;
  value: unknown;
  onChange: (value: unknown) => void;
}) {
  const id = `field-${name}`;
  const kind = kindOf(schema);
  const words = wordsOf(kind === 'several' ? schema.items : schema) ?? [];
  const hint = schema.description;
  const describedBy = hint === undefined ? undefined : `${id}-hint`;
  const list = Array.isArray(value) ? (value as unknown[]).map(String) : [];
  return (
    <div class={`field ${kind}`}>
      {kind === 'several' ? (
        <span class="label" id={`${id}-label`}>
          {titleOf(name)}
        </span>
      ) : (
        <label for={id}>{titleOf(name)}</label>
      )}
      {kind === 'integer' && (
        <input
          id={id}
          type="number"
          min={schema.minimum}
          max={schema.maximum}
          aria-describedby={describedBy}
          placeholder="usual"
          value={typeof value === 'number' ? value : ''}
          onInput={({ currentTarget }) => {
            onChange(currentTarget.value === '' ? undefined : Number(currentTarget.value));
          }}
        />
      )}
      {(kind === 'boolean' || kind === 'choice') && (
        <select
          id={id}
          aria-describedby={describedBy}
          value={typeof value === 'string' || typeof value === 'boolean' ? String(value) : ''}
          onChange={({ currentTarget }) => {
            const chosen = currentTarget.value;
            onChange(chosen === '' ? undefined : kind === 'boolean' ? chosen === 'true' : chosen);
          }}
        >
          <option value="">usual</option>
          {(kind === 'boolean' ? ['true', 'false'] : words).map((word) => (
            <option key={word} value={word}>
              {kind === 'boolean' ? (word === 'true' ? 'yes' : 'no') : word}
            </option>
          ))}
        </select>
      )}
      {kind === 'several' && (
        <div class="checks" role="group" aria-labelledby={`${id}-label`} aria-describedby={describedBy}>
          {words.map((word) => (
            <label key={word}>
              <input
                type="checkbox"
                checked={list.includes(word)}
                onChange={({ currentTarget }) => {
                  const rest = list.filter((one) => one !== word);
                  const next = currentTarget.checked ? [...rest, word] : rest;
                  onChange(next.length === 0 ? undefined : next);
                }}
              />
              {word}
            </label>
          ))}
        </div>
      )}
      {(kind === 'list' || kind === 'text') && (
        <input
          id={id}
          {...(name === 'password'
            ? { type: 'password', autocomplete: 'new-password' }
            : { type: 'text', autocomplete: 'off' })}
          spellcheck={false}
          aria-describedby={describedBy}
          placeholder={kind === 'list' ? 'separated by spaces' : ''}
          value={kind === 'list' ? list.join(' ') : typeof value === 'string' ? value : ''}
          onChange={({ currentTarget }) => {
            const text = currentTarget.value.trim();
            onChange(text === '' ? undefined : kind === 'list' ? text.split(/\s+/) : text);
          }}
        />
      )}
      {hint !== undefined && (
        <small id={describedBy} title={hint}>
          {hint}
        </small>
      )}
    </div>
  );
}

const without = (values: Values, name: string): Values =>
  Object.fromEntries(Object.entries(values).filter(([key]) => key !== name));

/** The fields of a schema; groups inside are shown below. */
export function SchemaFields({
  schema,
  values,
  onChange,
  hide = [],
}: {
  schema: Schema;
  values: Values;
  onChange: (values: Values) => void;
  hide?: readonly string[];
}) {
  const entries = Object.entries(schema.properties ?? {}).filter(([name]) => !hide.includes(name));
  const set = (name: string, value: unknown): void => {
    onChange(value === undefined ? without(values, name) : { ...values, [name]: value });
  };
  return (
    <>
      <div class="fields">
        {entries
          .filter(([, one]) => kindOf(one) !== 'group')
          .map(([name, one]) => (
            <Field
              key={name}
              name={name}
              schema={one}
              value={values[name]}
              onChange={(value) => {
                set(name, value);
              }}
            />
          ))}
      </div>
      {entries
        .filter(([, one]) => kindOf(one) === 'group')
        .map(([name, one]) => (
          <details key={name} class="group" open={values[name] !== undefined}>
            <summary>{titleOf(name)}</summary>
            <SchemaFields
              schema={one}
              values={(values[name] ?? {}) as Values}
              onChange={(inner) => {
                set(name, Object.keys(inner).length === 0 ? undefined : inner);
              }}
            />
          </details>
        ))}
    </>
  );
}
