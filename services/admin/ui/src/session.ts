import { signal } from '@preact/signals';

/** The token, for as long as the tab is open (session storage): nobody finds it on the disk tomorrow. */
const KEY = 'rollcall.token';
const THEME = 'rollcall.theme';

export const token = signal<string | undefined>(sessionStorage.getItem(KEY) ?? undefined);

export function signIn(text: string): void {
  sessionStorage.setItem(KEY, text);
  token.value = text;
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  token.value = undefined;
}

/** What the system says, unless it was chosen here. */
export type Theme = 'light' | 'dark';

const system = matchMedia('(prefers-color-scheme: dark)');
const chosen = localStorage.getItem(THEME);
export const theme = signal<Theme>(
  chosen === 'light' || chosen === 'dark' ? chosen : system.matches ? 'dark' : 'light',
);
system.addEventListener('change', ({ matches }) => {
  if (localStorage.getItem(THEME) === null) theme.value = matches ? 'dark' : 'light';
});
theme.subscribe((value) => {
  document.documentElement.dataset['theme'] = value;
});

export function chooseTheme(value: Theme): void {
  localStorage.setItem(THEME, value);
  theme.value = value;
}
