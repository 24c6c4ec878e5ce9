import { configRows, type ConfigRow } from '@rapport/contracts';

const HEADER = `# Generated from the config rows of libs/contracts by \`npm run generate\`. Do not edit.
#
# Every environment variable there is. A line that starts with \`#\` shows the default; a variable without
# one is required by the processes that read it. A secret has no default, and <NAME>_FILE may name a file
# that holds it instead.
`;

/** The text of `.env.example`: every config row, grouped by who reads it. */
export function envExampleText(): string {
  const groups = new Map<string, string[]>();
  for (const [name, row] of Object.entries<ConfigRow>(configRows)) {
    const readers = row.readBy.join(', ');
    groups.set(readers, [...(groups.get(readers) ?? []), describe(name, row)]);
  }
  return [HEADER, ...[...groups].map(([readers, rows]) => [`# ── Read by ${readers}\n`, ...rows].join('\n'))].join(
    '\n',
  );
}

function describe(name: string, row: ConfigRow): string {
  const notes = [
    row.secret ? 'Secret.' : '',
    row.optional ? 'Optional.' : row.default === undefined ? 'Required.' : '',
  ].filter(Boolean);
  const setting = row.default === undefined ? `${name}=` : `# ${name}=${row.default}`;
  return `# ${[row.summary, ...notes].join(' ')}\n${setting}\n`;
}
