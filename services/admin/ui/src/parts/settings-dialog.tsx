import { useState } from 'preact/hooks';
import { put } from '../api.ts';
import { Dialog, Failure } from './basics.tsx';
import { SchemaFields, useBodySchema } from './schema-form.tsx';
import type { Values } from './schema-form.tsx';
import { attempt } from './toast.tsx';

/** Edits the settings of something that is written by `PUT`; something new is asked for its name first. */
export function SettingsDialog({
  title,
  schemaOf,
  hide = [],
  name: known,
  label,
  settings,
  pathOf,
  onClose,
  onSaved,
}: {
  title: string;
  /** The path in /openapi.json. */
  schemaOf: string;
  /** Fields that are not shown. */
  hide?: readonly string[];
  /** Undefined: it is new. */
  name: string | undefined;
  /** What its name is called. */
  label: string;
  settings: Values;
  pathOf: (name: string) => string;
  onClose: () => void;
  onSaved: (name: string) => void;
}) {
  const { schema, error } = useBodySchema(schemaOf);
  const [name, setName] = useState(known ?? '');
  const [values, setValues] = useState(settings);
  const save = async (): Promise<void> => {
    const saved = name.trim();
    if (await attempt(() => put('PUT', pathOf(saved), values), 'Saved; in force at once')) onSaved(saved);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {known === undefined && (
          <div class="field">
            <label for="settings-name">{label}</label>
            <input
              id="settings-name"
              required
              value={name}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
          </div>
        )}
        <Failure error={error} />
        {schema !== undefined && (
          <SchemaFields schema={schema} values={values} onChange={setValues} hide={hide} />
        )}
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Save
          </button>
        </div>
      </form>
    </Dialog>
  );
}
