import { useState } from 'preact/hooks';
import { ApiProblem } from '../api.ts';
import { signIn } from '../session.ts';
import { useTitle } from '../parts/hooks.ts';

/** Asks for a token and tries it before it is kept. */
export function LoginPage() {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  useTitle('Sign in');
  const submit = async (): Promise<void> => {
    setBusy(true);
    setProblem('');
    try {
      const answer = await fetch('/v1/domains', { headers: { authorization: `Bearer ${text.trim()}` } });
      if (answer.status === 401) throw new ApiProblem(401, 'This token is not valid', undefined);
      signIn(text.trim());
    } catch (error) {
      setProblem(error instanceof ApiProblem ? error.message : 'The admin service cannot be reached');
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="login">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h1>
          <img src="/icon.svg" alt="" width="32" height="32" />
          Rollcall
        </h1>
        <label for="token">API token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          required
          value={text}
          aria-describedby="token-hint token-problem"
          onInput={({ currentTarget }) => {
            setText(currentTarget.value);
          }}
        />
        <small id="token-hint">
          The value of ROLLCALL_ADMIN_TOKEN, or a token of /v1/tokens. It is kept until this tab is closed.
        </small>
        <p id="token-problem" class="failure" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={busy || text.trim() === ''}>
          Sign in
        </button>
      </form>
    </main>
  );
}
