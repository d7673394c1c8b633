/** Headers of the messages that this tool and the edge write: long names, one space, nothing folded. */
export function headerOf(message: string, name: string): string | undefined {
  const head = `\r\n${name}: `;
  const at = message.indexOf(head);
  if (at < 0) return undefined;
  return message.slice(at + head.length, message.indexOf('\r\n', at + head.length));
}

export function headersOf(message: string, name: string): string[] {
  const values: string[] = [];
  const head = `\r\n${name}: `;
  for (let at = message.indexOf(head); at >= 0; at = message.indexOf(head, at + 1))
    values.push(message.slice(at + head.length, message.indexOf('\r\n', at + head.length)));
  return values;
}
