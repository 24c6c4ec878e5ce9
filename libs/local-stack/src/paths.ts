import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPOSITORY = fileURLToPath(new URL('../../../', import.meta.url));

/** The program `name` of a package: started by path, never imported. */
export function sourceOf(
  folder: string,
  name: 'main' | 'migrate' | 'provision' | 'replay' | 'rotate' | 'deliveries',
): string {
  return join(REPOSITORY, folder, 'src', `${name}.ts`);
}
