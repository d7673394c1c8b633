import { count } from '../format.ts';
import { Empty, Table } from './basics.tsx';

/** One figure with its name; stands in a `dl` of tiles. */
export function Tile({ name, value, note }: { name: string; value: string; note: string }) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        <b>{value}</b>
        <span>{note}</span>
      </dd>
    </div>
  );
}

/** Names with how often each was counted, in the order given; `none` when there are no rows. */
export function CountTable({
  label,
  what,
  rows,
  none,
}: {
  label: string;
  /** Head of the names. */
  what: string;
  rows: readonly (readonly [string, number])[];
  none: string;
}) {
  if (rows.length === 0) return <Empty>{none}</Empty>;
  return (
    <Table label={label} head={[what, ['Count', 'number']]}>
      {rows.map(([name, value]) => (
        <tr key={name}>
          <td>
            <code>{name}</code>
          </td>
          <td class="number">{count(value)}</td>
        </tr>
      ))}
    </Table>
  );
}
