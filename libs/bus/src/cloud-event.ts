import { buildSubject, facts, isId, type FactData, type FactName } from '@rapport/contracts';
import { headerLine, headerOf } from './header-block.ts';
import { isoTime } from './iso-time.ts';
import { traceLines } from './trace.ts';

/** A fact as a consumer gets it. */
export interface Fact<N extends FactName> {
  /** Unique for good; the same fact that comes twice has the same id. */
  readonly id: string;
  /** When it was committed. */
  readonly time: Date;
  readonly data: FactData<N>;
}

/** Made once: every fact that is written and read names its own. */
const TYPES = Object.fromEntries(
  Object.keys(facts).map(name => [name, buildSubject({ family: 'fact', name })]),
) as Record<FactName, string>;

/** CloudEvents 1.0, binary content mode: the attributes are headers, the body is the data alone. */
export function cloudEventLines(fact: FactName, id: string, time: Date): string {
  return traceLines() + linesOf(fact) + headerLine('ce-id', id) + headerLine('ce-time', isoTime(time));
}

const lines = new Map<FactName, string>();

/** What is the same for all facts of a kind. */
function linesOf(fact: FactName): string {
  const known = lines.get(fact);
  if (known !== undefined) return known;
  const made = [
    headerLine('ce-specversion', '1.0'),
    headerLine('ce-source', `/${facts[fact].publishedBy}`),
    headerLine('ce-type', TYPES[fact]),
    headerLine('content-type', 'application/json'),
  ].join('');
  lines.set(fact, made);
  return made;
}

/**
 * Reads a fact back.
 * @param headers as `headersOf` has them
 * @throws Error that says what is wrong without quoting the message
 */
export function readCloudEvent<N extends FactName>(fact: N, headers: string, text: string): Fact<N> {
  const attribute = (name: string) => headerOf(headers, `ce-${name}`) ?? '';
  if (attribute('specversion') !== '1.0') throw new Error('ce-specversion is not 1.0');
  if (attribute('type') !== TYPES[fact]) throw new Error('ce-type is not the subject');
  const id = attribute('id');
  if (!isId(id)) throw new Error('ce-id is not an id');
  const time = new Date(attribute('time'));
  if (Number.isNaN(time.getTime())) throw new Error('ce-time is not a time');
  const data = facts[fact].data.safeParse(parseJson(text));
  if (!data.success) {
    const fields = data.error.issues.map(issue => issue.path.join('.') || 'data');
    throw new Error(`the data breaks the rules of ${fact}: ${fields.join(', ')}`);
  }
  return { id, time, data: data.data as FactData<N> };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('the body is not JSON');
  }
}
